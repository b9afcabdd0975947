"""What people want to be told: preferences, stops, the suppression list, and the history of all of it.

A person is a `person_key`, as in `Delivery.recipient_key`: `member:42`, or `email:…` for somebody without an account. A
channel is a value and not a column, so that a new one needs no migration. Rows stand only where somebody wants
something else than the category of the kind gives by itself.
"""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from notifications.kinds import NAME_LIMIT

CHANNEL_LIMIT = 16


class Correspondent(models.Model):
    """What holds for one person in all: quiet hours, whether they asked for promotions, how old their links may be.

    A member's consent to promotions is `User.accepts_promotions`; here it stands for people without an account, and for
    whoever has still to confirm it. `link_version` is part of the links in mails: raised, all earlier ones are dead.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    person_key = models.TextField(_("person"), unique=True)
    link_version = models.PositiveIntegerField(_("version of links"), default=1)
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_to = models.TimeField(_("quiet until"), null=True, blank=True)
    asked_version = models.PositiveIntegerField(default=1)
    promotions_asked_at = models.DateTimeField(_("asked for promotions"), null=True, blank=True)
    promotions_confirmed_at = models.DateTimeField(_("confirmed it"), null=True, blank=True)

    class Meta:
        verbose_name = _("correspondent")
        verbose_name_plural = _("correspondents")
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=Q(quiet_from=None, quiet_to=None)
                | Q(quiet_from__isnull=False, quiet_to__isnull=False) & ~Q(quiet_from=models.F("quiet_to")),
                name="notifications_correspondent_quiet_hours",
            ),
        ]

    def __str__(self) -> str:
        return self.person_key


class Preference(models.Model):
    """Somebody switched one kind on or off by one channel. No row: as the kind's category says."""

    person_key = models.TextField(_("person"))
    kind = models.CharField(_("kind"), max_length=NAME_LIMIT)
    channel = models.CharField(_("channel"), max_length=CHANNEL_LIMIT)
    is_on = models.BooleanField(_("on"))
    changed_at = models.DateTimeField(_("changed"))

    class Meta:
        verbose_name = _("preference")
        verbose_name_plural = _("preferences")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["person_key", "kind", "channel"], name="notifications_preference_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person_key} · {self.kind} · {self.channel}"


class Stop(models.Model):
    """Somebody wants no more of one kind about one thing (`Message.about`) by one channel."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    person_key = models.TextField(_("person"))
    kind = models.CharField(_("kind"), max_length=NAME_LIMIT)
    about = models.CharField(_("about"), max_length=120)
    channel = models.CharField(_("channel"), max_length=CHANNEL_LIMIT)
    subject = models.CharField(_("subject of the message that was stopped"), max_length=200, blank=True)
    stopped_at = models.DateTimeField(_("stopped"))

    class Meta:
        verbose_name = _("stop")
        verbose_name_plural = _("stops")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["person_key", "kind", "about", "channel"], name="notifications_stop_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person_key} · {self.kind} · {self.about} · {self.channel}"


class SuppressionReason(models.TextChoices):
    """Why nothing goes to an address any more."""

    BOUNCE = "bounce", _("bounce")
    COMPLAINT = "complaint", _("complaint")
    MANUAL = "manual", _("by staff")
    STOP = "stop", _("STOP")
    ERASED = "erased", _("erased person")


class Suppression(models.Model):
    """Nothing goes to this address by this channel, whatever the kind, until somebody lifts it.

    Found by `address_hash` (`notifications.suppressing.hash_of`) alone, so that it holds when the address is erased.
    """

    address = models.TextField(_("address"), blank=True)
    address_hash = models.CharField(_("fingerprint"), max_length=64)
    channel = models.CharField(_("channel"), max_length=CHANNEL_LIMIT)
    reason = models.CharField(_("reason"), max_length=16, choices=SuppressionReason.choices)
    note = models.CharField(_("note"), max_length=300, blank=True)
    suppressed_at = models.DateTimeField(_("since"))
    suppressed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    lifted_at = models.DateTimeField(_("lifted"), null=True, blank=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("lifted by"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    lift_note = models.CharField(_("why it was lifted"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("suppressed address")
        verbose_name_plural = _("suppressed addresses")
        default_permissions = ("view",)
        permissions = [
            ("suppress_address", "Can stop all messages to an address, and let them through again")
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["address_hash", "channel"],
                name="notifications_suppression_once",
                condition=Q(lifted_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.address or self.address_hash[:12]} · {self.channel}"


class What(models.TextChoices):
    """What somebody decided."""

    ASKED = "asked", _("asked for promotions, to be confirmed")
    AGREED = "agreed", _("agreed to promotions")
    WITHDREW = "withdrew", _("wants no promotions any more")
    SWITCHED_ON = "switched on", _("switched a kind on")
    SWITCHED_OFF = "switched off", _("switched a kind off")
    STOPPED = "stopped", _("stopped a kind about one thing")
    RESUMED = "resumed", _("lifted a stop")
    QUIET_HOURS = "quiet hours", _("changed quiet hours")
    STOPPED_ALL = "stopped all", _("answered STOP: nothing more by this channel")
    RESUMED_ALL = "resumed all", _("answered START: messages by this channel again")
    REVOKED_LINKS = "revoked links", _("made the links in earlier mails useless")
    CARRIED_OVER = "carried over", _("agreed before this history was kept")


class ConsentEvent(models.Model):
    """One line of the history of consent. The database refuses any change but the erasure of whose it was."""

    person_key = models.TextField(_("person"))
    at = models.DateTimeField(_("time"))
    what = models.CharField(_("what"), max_length=16, choices=What.choices)
    kind = models.CharField(_("kind"), max_length=NAME_LIMIT, blank=True)
    about = models.CharField(_("about"), max_length=120, blank=True)
    channel = models.CharField(_("channel"), max_length=CHANNEL_LIMIT, blank=True)
    source = models.CharField(_("from where"), max_length=40)
    evidence = models.JSONField(_("evidence"), default=dict)

    class Meta:
        verbose_name = _("line of consent history")
        verbose_name_plural = _("history of consent")
        default_permissions = ("view",)
        indexes = [models.Index(fields=["person_key", "at"], name="notifications_consent_person")]

    def __str__(self) -> str:
        return f"{self.person_key} · {self.what}"
