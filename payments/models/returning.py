"""Money that goes back: refunds, and disputes that a payer's bank opens."""

import datetime as dt
import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from payments.models.buying import Payment
from payments.models.ledger import LedgerEntry


class RefundQuerySet(models.QuerySet["Refund"]):
    """Refunds by what is to be done about them."""

    def due(self, now: dt.datetime) -> "RefundQuerySet":
        """Those that Paystack has to be asked for or about, the longest due first."""
        return self.filter(try_after__lte=now).order_by("try_after", "pk")

    def active(self) -> "RefundQuerySet":
        """Those whose money has gone back or may still go."""
        return self.exclude(state=Refund.State.FAILED)

    def in_doubt(self) -> "RefundQuerySet":
        """Those that Paystack was not asked for yet, or gave no answer about; the oldest first."""
        return self.filter(finished_at=None, state=Refund.State.REQUESTED).order_by("requested_at", "pk")


class Refund(models.Model):
    """Part of a payment on its way back. The credits wait on an account of their own until Paystack has decided.

    `requested` (not asked yet, or nobody knows whether it was) → `asked` → `processed` or `failed`; `attention` where
    Paystack wants something from a person.
    """

    class State(models.TextChoices):
        REQUESTED = "requested", _("Requested")
        ASKED = "asked", _("With Paystack")
        ATTENTION = "attention", _("Needs attention")
        PROCESSED = "processed", _("Refunded")
        FAILED = "failed", _("Failed")

    OPEN = (State.REQUESTED, State.ASKED, State.ATTENTION)

    public_id = models.UUIDField(_("number"), default=uuid.uuid4, unique=True, editable=False)
    idem_key = models.CharField(_("key"), max_length=200, unique=True)
    payment = models.ForeignKey(
        Payment, verbose_name=_("payment"), on_delete=models.PROTECT, related_name="refunds"
    )
    credits = models.PositiveIntegerField(_("credits taken back"))
    amount = models.BigIntegerField(_("amount"))
    reason = models.CharField(_("reason"), max_length=300)
    notes = models.TextField(_("notes for staff"), blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.REQUESTED)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("who"), on_delete=models.PROTECT, related_name="+", null=True
    )
    requested_at = models.DateTimeField(_("requested"))
    paystack_id = models.BigIntegerField(_("Paystack's number"), null=True, blank=True, unique=True)
    try_after = models.DateTimeField(_("next attempt"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    was_sent = models.BooleanField(
        _("may have reached Paystack"),
        default=False,
        help_text=_("Set before it is asked: then ask only after looking."),
    )
    outcome = models.CharField(_("outcome"), max_length=300, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    held_entry = models.OneToOneField(
        LedgerEntry, verbose_name=_("ledger entry"), on_delete=models.PROTECT, related_name="+", null=True
    )

    objects = RefundQuerySet.as_manager()

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payments_refund_positive"),
            models.CheckConstraint(
                condition=Q(state__in=("processed", "failed"), finished_at__isnull=False)
                | Q(state__in=("requested", "asked", "attention"), finished_at__isnull=True),
                name="payments_refund_finished",
            ),
        ]
        indexes = [
            models.Index(
                fields=["try_after"], name="payments_refund_due", condition=Q(try_after__isnull=False)
            ),
            models.Index(
                fields=["requested_at"], name="payments_refund_open", condition=Q(finished_at__isnull=True)
            ),
            models.Index(
                fields=["finished_at"], name="payments_refund_returned", condition=Q(state="processed")
            ),
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"

    @property
    def name(self) -> str:
        """How ledger, trail and messages call it."""
        return f"payments.refund:{self.public_id}"


class Dispute(models.Model):
    """A payer's bank wants the money back. The credits bought, as far as they are unspent, wait until it is decided."""

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        WON = "won", _("Decided for us")
        LOST = "lost", _("Decided for the payer")

    public_id = models.UUIDField(_("number"), default=uuid.uuid4, unique=True, editable=False)
    paystack_id = models.BigIntegerField(_("Paystack's number"), unique=True)
    payment = models.ForeignKey(
        Payment, verbose_name=_("payment"), on_delete=models.PROTECT, related_name="disputes"
    )
    state = models.CharField(_("state"), max_length=4, choices=State.choices, default=State.OPEN)
    amount = models.BigIntegerField(_("amount disputed"))
    held_credits = models.PositiveIntegerField(_("credits held"), default=0)
    due_at = models.DateTimeField(_("to be answered by"), null=True, blank=True)
    resolution = models.CharField(_("resolution"), max_length=80, blank=True)
    opened_at = models.DateTimeField(_("opened"))
    resolved_at = models.DateTimeField(_("resolved"), null=True, blank=True)

    class Meta:
        verbose_name = _("dispute")
        verbose_name_plural = _("disputes")

    def __str__(self) -> str:
        return f"№ {self.pk}"

    @property
    def name(self) -> str:
        """How ledger, trail and messages call it."""
        return f"payments.dispute:{self.public_id}"

    def is_late(self, now: dt.datetime) -> bool:
        """Whether the time to answer is over while it is open."""
        return self.state == self.State.OPEN and self.due_at is not None and self.due_at <= now
