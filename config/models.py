"""What the site knows of its own health: signs of life, and alarms with whom they were told to."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Sign(models.Model):
    """The last word of something that ought to be heard from again and again: a worker, the check of the ledger."""

    name = models.CharField(_("what"), max_length=64, unique=True)
    at = models.DateTimeField(_("last heard of"))
    faults = models.PositiveIntegerField(_("faults"), default=0)
    note = models.TextField(_("what it said"), blank=True)

    class Meta:
        verbose_name = _("sign of life")
        verbose_name_plural = _("signs of life")

    def __str__(self) -> str:
        return self.name


class AlarmQuerySet(models.QuerySet["Alarm"]):
    """Sets of alarms."""

    def open(self) -> "AlarmQuerySet":
        """What is wrong now."""
        return self.filter(resolved_at=None)


class Alarm(models.Model):
    """One occasion on which something was wrong, from when it was seen until it was over.

    Of one `key` only one can be open: who sees the same again, in whichever process, meets the constraint.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    key = models.CharField(_("key"), max_length=120)
    title = models.CharField(_("what is wrong"), max_length=200)
    detail = models.TextField(_("details"), blank=True)
    mend = models.TextField(_("what to do"))
    raised_at = models.DateTimeField(_("seen"))
    resolved_at = models.DateTimeField(_("over"), null=True)

    objects = AlarmQuerySet.as_manager()

    class Meta:
        verbose_name = _("alarm")
        verbose_name_plural = _("alarms")
        ordering = ("-pk",)
        constraints = [
            models.UniqueConstraint(
                fields=["key"], condition=Q(resolved_at__isnull=True), name="config_alarm_open_once"
            ),
        ]

    def __str__(self) -> str:
        return self.title


class AlarmNotice(models.Model):
    """One alarm told to one place: that it began, or that it is over.

    Claimed with a lease, told outside any transaction, then written down. `public_id` stays the same over all attempts,
    so that who hears it twice can tell.
    """

    class Event(models.TextChoices):
        RAISED = "raised", _("began")
        RESOLVED = "resolved", _("is over")

    class Channel(models.TextChoices):
        WEBHOOK = "webhook", _("webhook")
        MAIL = "mail", _("mail")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    alarm = models.ForeignKey(Alarm, on_delete=models.PROTECT, related_name="notices")
    event = models.CharField(_("what"), max_length=16, choices=Event.choices)
    channel = models.CharField(_("where to"), max_length=16, choices=Channel.choices)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True)
    sent_at = models.DateTimeField(_("told"), null=True)
    error = models.TextField(_("why not"), blank=True)

    class Meta:
        verbose_name = _("notice of an alarm")
        verbose_name_plural = _("notices of alarms")
        constraints = [
            models.UniqueConstraint(fields=["alarm", "event", "channel"], name="config_alarmnotice_once"),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                name="config_alarmnotice_due",
                condition=Q(next_attempt_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.alarm} · {self.get_event_display()} · {self.get_channel_display()}"
