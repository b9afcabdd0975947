"""The outbox: messages (one thing said) and deliveries (one message to one person by one channel)."""

import datetime as dt
import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from notifications.handles import handle_of
from notifications.kinds import NAME_LIMIT, Channel


class MessageQuerySet(models.QuerySet["Message"]):
    """Sets of messages."""

    def to_expand(self, now: dt.datetime) -> "MessageQuerySet":
        """Messages that are due and not yet expanded into deliveries, the longest waiting first."""
        waiting = self.filter(expanded_at__isnull=True, cancelled_at__isnull=True, expand_after__lte=now)
        return waiting.order_by("expand_after", "pk")


class Message(models.Model):
    """One thing said: its kind, about what, and with which values. Expanded into deliveries once due."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(_("kind"), max_length=NAME_LIMIT)
    about = models.CharField(_("about"), max_length=120, help_text=_("As in the audit trail: draws.draw:…"))
    context = models.JSONField(_("values"), default=dict)
    idem_key = models.CharField(_("idempotency key"), max_length=200, unique=True)
    not_before = models.DateTimeField(_("not before"))
    expires_at = models.DateTimeField(_("of no use after"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"))

    cursor = models.BigIntegerField(
        _("cursor"), default=0, help_text=_("How far the recipients are expanded.")
    )
    recipient_count = models.PositiveBigIntegerField(_("recipients"), default=0)
    expand_after = models.DateTimeField(_("expansion due"))
    expansion_failures = models.PositiveSmallIntegerField(_("failed expansions"), default=0)
    expansion_error = models.TextField(_("why the expansion failed"), blank=True)
    expanded_at = models.DateTimeField(_("expanded"), null=True, blank=True)
    cancelled_at = models.DateTimeField(_("cancelled"), null=True, blank=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        indexes = [
            models.Index(fields=["about"], name="notifications_message_about"),
            models.Index(
                fields=["expand_after"],
                name="notifications_message_waiting",
                condition=Q(expanded_at__isnull=True, cancelled_at__isnull=True),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=models.F("not_before")),
                name="notifications_message_expires_later",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} · {self.about}"

    @property
    def has_begun(self) -> bool:
        """Whether anybody may have it already: expanding it is done, or under way."""
        return self.expanded_at is not None or self.recipient_count > 0


class State(models.TextChoices):
    """Where a delivery is. In order: planned → claimed → handed → delivered; the rest are side doors."""

    PLANNED = "planned", _("planned")
    CLAIMED = "claimed", _("being sent")
    HANDED = "handed", _("handed to the provider")
    DELIVERED = "delivered", _("delivered")
    RETRY = "retry", _("to be tried again")
    UNKNOWN = "unknown", _("unknown: the answer was lost")
    FAILED = "failed", _("failed")
    BOUNCED = "bounced", _("bounced")
    COMPLAINED = "complained", _("reported as spam")
    SUPPRESSED = "suppressed", _("not wanted")
    SKIPPED = "skipped", _("skipped")
    CANCELLED = "cancelled", _("cancelled")


WAITING = (State.PLANNED, State.RETRY)
DEAD_LETTERS = (State.UNKNOWN, State.FAILED, State.BOUNCED, State.COMPLAINED)


class SkipReason(models.TextChoices):
    """Why a delivery was skipped or suppressed."""

    EXPIRED = "expired", _("too late to be of use")
    INACTIVE = "inactive", _("the account is not active")
    CONSENT = "consent", _("the person does not want it")
    QUIET_HOURS = "quiet hours", _("quiet hours")
    BOUNCE = "bounce", _("the address does not exist")
    COMPLAINT = "complaint", _("it was reported as spam")
    MANUAL = "manual", _("staff stopped all messages to it")
    STOP = "stop", _("the person answered STOP")
    ERASED = "erased", _("the person had their data erased")


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """Sets of deliveries."""

    def due(self, now: dt.datetime) -> "DeliveryQuerySet":
        """What is to be sent now, the longest waiting first."""
        return self.filter(state__in=WAITING, next_attempt_at__lte=now).order_by("next_attempt_at")

    def oldest_due(self, now: dt.datetime) -> dt.datetime | None:
        """Since when the longest waiting has been due; None when nothing is. One look into the index for each channel."""
        firsts = [
            self.due(now)
            .filter(channel=channel, is_urgent=is_urgent)
            .values_list("next_attempt_at", flat=True)[:1]
            for channel in Channel
            for is_urgent in (True, False)
        ]
        return min(firsts[0].union(*firsts[1:], all=True), default=None)

    def to_ask_about(self, now: dt.datetime) -> "DeliveryQuerySet":
        """Letters whose answer was lost and whose provider is to be asked now, the longest waiting first."""
        return self.filter(state=State.UNKNOWN, next_attempt_at__lte=now).order_by("next_attempt_at")

    def lease_over(self, now: dt.datetime) -> "DeliveryQuerySet":
        """What a worker claimed and did not finish in time."""
        return self.filter(state=State.CLAIMED, lease_until__lt=now)

    def inbox_of(self, member_id: int, now: dt.datetime) -> "DeliveryQuerySet":
        """What a member finds in the inbox, the newest first."""
        mine = self.filter(
            member_id=member_id, channel=Channel.IN_APP, state=State.DELIVERED, handed_at__lte=now
        )
        return mine.order_by("-handed_at", "-pk")


class Delivery(models.Model):
    """One message to one person by one channel.

    In-app deliveries are born delivered: they are the inbox, and `handed_at` is when they appear there.
    A claim is fenced by `lease_until`: whoever finishes must still find the value that its own claim wrote,
    since a later claim, made after that moment, wrote a later one. `sending_at` says that the provider may
    have been told; a crash before it means certainly not.

    Foreign keys are not held by the database: two of them would double the time of an expansion, and
    neither messages nor people are ever deleted.
    """

    message = models.ForeignKey(
        Message,
        verbose_name=_("message"),
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="deliveries",
    )
    recipient_key = models.TextField(_("recipient"))
    member = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("member"),
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        blank=True,
        related_name="+",
    )
    channel = models.CharField(_("channel"), max_length=16, choices=Channel.choices)
    address = models.TextField(_("address"), blank=True)
    name = models.TextField(_("name"), blank=True)
    language = models.CharField(_("language"), max_length=8)
    time_zone = models.CharField(_("time zone"), max_length=64)
    params = models.JSONField(_("personal values"), default=dict)

    is_urgent = models.BooleanField(
        _("before others"),
        db_default=False,
        default=False,
        help_text=_("What is about account, money and prizes does not wait behind a broadcast."),
    )
    state = models.CharField(_("state"), max_length=16, choices=State.choices)
    skip_reason = models.CharField(_("why not"), max_length=16, choices=SkipReason.choices, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    lost_answers = models.PositiveSmallIntegerField(_("lost answers"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"))
    lease_until = models.DateTimeField(_("claimed until"), null=True, blank=True)
    sending_at = models.DateTimeField(_("given out"), null=True, blank=True)
    provider_id = models.TextField(_("provider's id"), blank=True)
    provider_code = models.CharField(_("provider's code"), max_length=32, blank=True)
    provider_text = models.TextField(_("provider's answer"), blank=True)
    created_at = models.DateTimeField(_("created"))
    handed_at = models.DateTimeField(_("handed over"), null=True, blank=True)
    read_at = models.DateTimeField(_("read"), null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        permissions = [("process_notifications", "Can process, retry and cancel notifications")]
        constraints = [
            models.UniqueConstraint(
                fields=["message", "recipient_key", "channel"], name="notifications_delivery_once"
            ),
        ]
        # Each costs an expansion of a million rows about 0.7 s, so most cover only the rows they are for.
        indexes = [
            models.Index(
                fields=["channel", "next_attempt_at"],
                name="notifications_delivery_by_turn",
                condition=Q(state__in=WAITING, is_urgent=False),
            ),
            models.Index(
                fields=["channel", "next_attempt_at"],
                name="notifications_delivery_urgent",
                condition=Q(state__in=WAITING, is_urgent=True),
            ),
            models.Index(
                fields=["next_attempt_at"],
                name="notifications_delivery_unknown",
                condition=Q(state=State.UNKNOWN),
            ),
            models.Index(
                fields=["lease_until"], name="notifications_delivery_lease", condition=Q(state=State.CLAIMED)
            ),
            models.Index(
                fields=["state", "created_at"],
                name="notifications_delivery_dead",
                condition=Q(state__in=DEAD_LETTERS),
            ),
            # The inbox, and everything a member was told.
            models.Index(
                fields=["member", "handed_at"],
                name="notifications_delivery_member",
                condition=Q(member__isnull=False),
            ),
            models.Index(
                fields=["address"], name="notifications_delivery_outside", condition=Q(member__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.recipient_key} · {self.get_channel_display()} · {self.get_state_display()}"

    @property
    def handle(self) -> uuid.UUID:
        """Its public id, as in the address of its inbox page and in its Message-ID."""
        return handle_of(self.pk)
