"""Money that members take out of their wallets."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from payments.models.ledger import LedgerEntry


def withdrawal_reference() -> str:
    """Ours, and Paystack's name for the transfer: 16 to 50 of `a-z0-9_-`."""
    return f"out-{uuid.uuid4().hex}"


class WithdrawalQuerySet(models.QuerySet["Withdrawal"]):
    """Withdrawals by what is to be done about them."""

    def due(self, now: object) -> "WithdrawalQuerySet":
        """Those that Paystack has to be asked for or about, the longest due first."""
        return self.filter(try_after__lte=now).order_by("try_after", "pk")

    def waiting(self) -> "WithdrawalQuerySet":
        """Those whose money is neither paid nor back in the wallet, the oldest first."""
        return self.filter(finished_at=None).order_by("requested_at", "pk")


class Withdrawal(models.Model):
    """A member's money on its way out. It waits on accounts of its own until Paystack has paid it.

    `requested` → `approved` (set aside to be sent) → `sent` (Paystack has it) → `paid`; or `rejected`, `cancelled`,
    `failed`, whose money is back in the wallet; `attention` where only a person gets on.
    """

    class State(models.TextChoices):
        REQUESTED = "requested", _("Requested")
        APPROVED = "approved", _("Approved")
        SENT = "sent", _("On its way")
        ATTENTION = "attention", _("Needs attention")
        PAID = "paid", _("Paid")
        FAILED = "failed", _("Failed, given back")
        REJECTED = "rejected", _("Rejected, given back")
        CANCELLED = "cancelled", _("Cancelled, given back")

    class Destination(models.TextChoices):
        BANK = "bank", _("Bank account")
        MOBILE = "mobile", _("Mobile money")

    LEAVING = (State.APPROVED, State.SENT, State.ATTENTION)
    FINISHED = (State.PAID, State.FAILED, State.REJECTED, State.CANCELLED)
    TONES = {
        State.PAID: "good",
        State.FAILED: "bad",
        State.REJECTED: "bad",
        State.ATTENTION: "warn",
    }

    public_id = models.UUIDField(_("number"), default=uuid.uuid4, unique=True, editable=False)
    idem_key = models.CharField(_("key"), max_length=200, unique=True)
    reference = models.CharField(
        _("reference"), max_length=50, unique=True, default=withdrawal_reference, editable=False
    )
    member = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("member"),
        on_delete=models.PROTECT,
        related_name="withdrawals",
    )
    unit = models.CharField(_("currency"), max_length=3)
    amount = models.BigIntegerField(_("amount"))
    destination = models.CharField(_("paid to"), max_length=6, choices=Destination.choices)
    recipient_type = models.CharField(_("Paystack's word for it"), max_length=20)
    bank_code = models.CharField(_("code of the bank"), max_length=20)
    bank_name = models.CharField(_("bank"), max_length=120)
    account_number = models.CharField(_("account or phone number"), max_length=40, blank=True)
    account_name = models.CharField(_("name on the account"), max_length=120, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.REQUESTED)
    reason = models.CharField(_("reason told to the member"), max_length=300, blank=True)
    outcome = models.CharField(_("outcome"), max_length=300, blank=True)
    evidence = models.TextField(_("evidence of a payment by hand"), blank=True)
    requested_at = models.DateTimeField(_("requested"))
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("approved or paid by"),
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
    )
    recipient = models.CharField(_("Paystack's recipient"), max_length=80, blank=True)
    transfer_code = models.CharField(_("Paystack's transfer"), max_length=80, blank=True)
    was_sent = models.BooleanField(
        _("may have reached Paystack"),
        default=False,
        help_text=_("Set before it is sent: then send only after looking."),
    )
    try_after = models.DateTimeField(_("next attempt"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    held_entry = models.OneToOneField(
        LedgerEntry, verbose_name=_("ledger entry"), on_delete=models.PROTECT, related_name="+", null=True
    )

    objects = WithdrawalQuerySet.as_manager()

    class Meta:
        verbose_name = _("withdrawal")
        verbose_name_plural = _("withdrawals")
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payments_withdrawal_positive"),
            models.CheckConstraint(
                condition=Q(state__in=("paid", "failed", "rejected", "cancelled"), finished_at__isnull=False)
                | Q(state__in=("requested", "approved", "sent", "attention"), finished_at__isnull=True),
                name="payments_withdrawal_finished",
            ),
        ]
        indexes = [
            models.Index(
                fields=["try_after"], name="payments_withdrawal_due", condition=Q(try_after__isnull=False)
            ),
            models.Index(fields=["member", "-requested_at"], name="payments_withdrawal_own"),
            models.Index(
                fields=["requested_at"],
                name="payments_withdrawal_open",
                condition=Q(finished_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def name(self) -> str:
        """How ledger, trail and messages call it."""
        return f"payments.withdrawal:{self.public_id}"

    @property
    def tone(self) -> str:
        """The colour of its badge."""
        return self.TONES.get(self.State(self.state), "")

    @property
    def may_cancel(self) -> bool:
        """Whether the member can still take it back."""
        return self.state == self.State.REQUESTED
