"""What Paystack has told us: the inbox of its webhook.

A request is kept as it came, byte for byte, before anything is done about it: *seen* is not *done*. Its SHA-256 is
what makes a repeat a repeat.
"""

import datetime as dt

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from payments.models.buying import Payment


class WebhookEventQuerySet(models.QuerySet["WebhookEvent"]):
    """Events by what is to be done about them."""

    def due(self, now: dt.datetime) -> "WebhookEventQuerySet":
        """Those that still have to be worked on, the longest due first."""
        return self.filter(try_after__lte=now).order_by("try_after", "pk")

    def failed(self) -> "WebhookEventQuerySet":
        """Those that could not be worked on, whether they are tried again or not; the oldest first."""
        return self.filter(state=WebhookEvent.State.FAILED).order_by("first_at", "pk")


class WebhookEvent(models.Model):
    """One signed request, how often it came, and what became of it.

    `received` until somebody has worked on it; then `done`, `ignored` (nothing here concerns it), `bad` (not what an
    event looks like), or `failed`, which is tried again. `try_after` is empty where nothing is left to do.
    """

    class State(models.TextChoices):
        RECEIVED = "received", _("Received")
        DONE = "done", _("Done")
        IGNORED = "ignored", _("Nothing to do")
        BAD = "bad", _("Not an event")
        FAILED = "failed", _("Failed")

    FINISHED = (State.DONE, State.IGNORED, State.BAD)

    digest = models.BinaryField(_("SHA-256"), max_length=32, unique=True)
    body = models.BinaryField(
        _("body"), help_text=_("Empty once it was kept long enough: it names payers and their cards.")
    )
    event = models.CharField(_("event"), max_length=80, blank=True)
    reference = models.CharField(_("reference"), max_length=120, blank=True)
    payment = models.ForeignKey(
        Payment,
        verbose_name=_("payment"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="events",
    )
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.RECEIVED)
    answer = models.PositiveSmallIntegerField(
        _("answer"),
        null=True,
        blank=True,
        help_text=_("Status code of the first delivery, and of every repeat."),
    )
    is_flagged = models.BooleanField(_("answered as flagged"), default=False)
    outcome = models.CharField(_("outcome"), max_length=300, blank=True)
    delivery_count = models.PositiveIntegerField(_("deliveries"), default=1)
    first_at = models.DateTimeField(_("first"))
    last_at = models.DateTimeField(_("last"))
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    try_after = models.DateTimeField(_("next attempt"), null=True, blank=True)
    done_at = models.DateTimeField(_("done"), null=True, blank=True)

    objects = WebhookEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook event")
        verbose_name_plural = _("webhook events")
        indexes = [
            models.Index(
                fields=["try_after"], name="payments_event_due", condition=Q(try_after__isnull=False)
            ),
            models.Index(F("first_at").desc(), name="payments_event_newest"),
            models.Index(fields=["reference"], name="payments_event_reference"),
            models.Index(fields=["first_at"], name="payments_event_failed", condition=Q(state="failed")),
        ]

    def __str__(self) -> str:
        return f"{self.event or '?'} {self.pk}"


class WebhookRefusal(models.Model):
    """How many requests were refused in an hour, by reason: nothing else of them is kept."""

    hour = models.DateTimeField(_("hour"))
    reason = models.CharField(_("reason"), max_length=16)
    count = models.PositiveIntegerField(_("requests"), default=0)

    class Meta:
        verbose_name = _("refused requests")
        verbose_name_plural = _("refused requests")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["hour", "reason"], name="payments_refusal_once"),
        ]

    def __str__(self) -> str:
        return f"{self.reason} × {self.count}"
