"""What the stand-in remembers: payments, refunds, payments out, webhooks on their way, and how it is to misbehave.

Amounts are minor units. Nothing here is money, and no table of the site's own points here.
"""

import secrets
from collections.abc import Iterable

from django.db import models
from django.db.models import F, Q


def _code(prefix: str) -> str:
    return prefix + secrets.token_hex(8)


def access_code() -> str:
    """Opens a checkout page, and is not to be guessed."""
    return secrets.token_hex(10)


def recipient_code() -> str:
    """As Paystack writes it."""
    return _code("RCP_")


def transfer_code() -> str:
    """As Paystack writes it."""
    return _code("TRF_")


class Transaction(models.Model):
    """A payment. Like Paystack's it is `abandoned` until somebody tries to pay, and may succeed after it failed."""

    class Status(models.TextChoices):
        ABANDONED = "abandoned"
        FAILED = "failed"
        SUCCESS = "success"
        REVERSED = "reversed"

    reference = models.CharField(max_length=100, unique=True)
    access_code = models.CharField(max_length=40, unique=True, default=access_code)
    email = models.EmailField()
    requested_amount = models.BigIntegerField()
    amount = models.BigIntegerField(help_text="What was paid, once it was.")
    currency = models.CharField(max_length=3)
    callback_url = models.TextField(blank=True)
    metadata = models.JSONField(null=True)
    domain = models.CharField(max_length=4, default="test")
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.ABANDONED)
    gateway_response = models.CharField(max_length=100, default="The transaction was not completed")
    channel = models.CharField(max_length=20, default="card")
    created_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True)
    pay_at = models.DateTimeField(null=True, help_text="When it pays itself: who pays has left.")
    disputed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["pay_at"], condition=Q(pay_at__isnull=False), name="standin_pays_late"),
            models.Index(fields=["-created_at"], name="standin_newest"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(requested_amount__gt=0, amount__gt=0), name="standin_amount"),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def fees(self) -> int:
        """One and a half per cent, as in Paystack's examples."""
        return -(-self.amount * 15 // 1000) if self.paid_at else 0


class Refund(models.Model):
    """Money on its way back; moves on by itself."""

    class Status(models.TextChoices):
        PENDING = "pending"
        PROCESSING = "processing"
        PROCESSED = "processed"
        FAILED = "failed"
        NEEDS_ATTENTION = "needs-attention"

    transaction = models.ForeignKey(Transaction, on_delete=models.CASCADE, related_name="refunds")
    amount = models.BigIntegerField()
    status = models.CharField(max_length=15, choices=Status.choices, default=Status.PENDING)
    ends_as = models.CharField(max_length=15, choices=Status.choices, default=Status.PROCESSED)
    merchant_note = models.TextField(blank=True)
    customer_note = models.TextField(blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    step_at = models.DateTimeField(null=True, help_text="When it moves on; empty at the end.")

    class Meta:
        indexes = [
            models.Index(fields=["step_at"], condition=Q(step_at__isnull=False), name="standin_refunds_due")
        ]
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="standin_refund_amount")]

    def __str__(self) -> str:
        return f"refund {self.pk} of {self.transaction_id}"


class Recipient(models.Model):
    """Somebody who may be paid out to. The same account is the same recipient."""

    code = models.CharField(max_length=40, unique=True, default=recipient_code)
    type = models.CharField(max_length=20)
    name = models.CharField(max_length=200)
    account_number = models.CharField(max_length=40)
    bank_code = models.CharField(max_length=20)
    currency = models.CharField(max_length=3)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["type", "account_number", "bank_code", "currency"], name="standin_recipient_once"
            )
        ]

    def __str__(self) -> str:
        return self.code


class Transfer(models.Model):
    """A payment out; moves on by itself. Its reference is never taken twice."""

    class Status(models.TextChoices):
        PENDING = "pending"
        OTP = "otp"
        SUCCESS = "success"
        FAILED = "failed"
        REVERSED = "reversed"

    reference = models.CharField(max_length=100, unique=True)
    code = models.CharField(max_length=40, unique=True, default=transfer_code)
    recipient = models.ForeignKey(Recipient, on_delete=models.CASCADE, related_name="transfers")
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.TextField(blank=True)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.PENDING)
    ends_as = models.CharField(max_length=8, choices=Status.choices, default=Status.SUCCESS)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    step_at = models.DateTimeField(null=True, help_text="When it moves on; empty at the end.")

    class Meta:
        indexes = [
            models.Index(fields=["step_at"], condition=Q(step_at__isnull=False), name="standin_transfers_due")
        ]
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="standin_transfer_amount")]

    def __str__(self) -> str:
        return self.reference


class OutgoingWebhook(models.Model):
    """A webhook on its way to the site: the very bytes that are signed and sent."""

    event = models.CharField(max_length=60)
    body = models.BinaryField()
    is_forged = models.BooleanField(default=False, help_text="Signed with another key.")
    created_at = models.DateTimeField()
    next_at = models.DateTimeField(null=True, help_text="When it is tried; empty: heard, lost or given up.")
    attempts = models.PositiveSmallIntegerField(default=0)
    heard_at = models.DateTimeField(null=True)
    last_answer = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["next_at"], condition=Q(next_at__isnull=False), name="standin_webhooks_due")
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.pk}"


class Operation(models.TextChoices):
    """What it may misbehave at."""

    INITIALIZE = "initialize"
    VERIFY = "verify"
    TRANSACTIONS = "transactions"
    REFUND = "refund"
    REFUNDS = "refunds"
    RECIPIENT = "recipient"
    BANKS = "banks"
    TRANSFER = "transfer"
    VERIFY_TRANSFER = "verify_transfer"
    PAY = "pay"
    WEBHOOK = "webhook"


class Effect(models.TextChoices):
    """How. `value` is in the unit that stands here."""

    # Of anything that is asked for.
    TIMEOUT = "timeout", "does it, and answers so many seconds late (30)"
    ERROR = "error", "answers 500 and does nothing"
    ERROR_AFTER = "error_after", "does it, and answers 500"
    HTML = "html", "does it, and answers with a page"
    REFUSE = "refuse", "answers 400 and does nothing"
    # Of refunds and transfers.
    FAIL = "fail", "ends as failed"
    ATTENTION = "attention", "a refund ends as needs-attention"
    REVERSE = "reverse", "a transfer ends as reversed"
    OTP = "otp", "a transfer waits for a code, for ever"
    # Of paying.
    UNDERPAY = "underpay", "so many minor units too little (100)"
    OVERPAY = "overpay", "so many minor units more, as when who pays bears the fees (100)"
    LIVE = "live", "says that it was in live mode"
    # Of webhooks.
    REPEAT = "repeat", "is sent so many times more (1)"
    DELAY = "delay", "is held back so many seconds (10)"
    REORDER = "reorder", "is overtaken by those of the next five seconds"
    LOSE = "lose", "is never sent"
    FORGE = "forge", "is signed with another key"


ANSWERS = frozenset({Effect.TIMEOUT, Effect.ERROR, Effect.ERROR_AFTER, Effect.HTML, Effect.REFUSE})
OUTCOMES = frozenset({Effect.FAIL, Effect.ATTENTION, Effect.REVERSE, Effect.OTP})
_NOT_ASKED = (Operation.PAY, Operation.WEBHOOK)
EFFECTS: dict[Operation, frozenset[Effect]] = {
    operation: ANSWERS for operation in Operation if operation not in _NOT_ASKED
} | {
    Operation.REFUND: ANSWERS | {Effect.FAIL, Effect.ATTENTION},
    Operation.TRANSFER: ANSWERS | {Effect.FAIL, Effect.REVERSE, Effect.OTP},
    Operation.PAY: frozenset({Effect.UNDERPAY, Effect.OVERPAY, Effect.LIVE}),
    Operation.WEBHOOK: frozenset({Effect.REPEAT, Effect.DELAY, Effect.REORDER, Effect.LOSE, Effect.FORGE}),
}
"""Which effects an operation may have."""


class Behaviour(models.Model):
    """How it is to misbehave, and how often yet. The oldest comes first."""

    operation = models.CharField(max_length=20, choices=Operation.choices)
    effect = models.CharField(max_length=20, choices=Effect.choices)
    value = models.PositiveIntegerField(default=0, help_text="0: what the effect has by itself.")
    times_left = models.PositiveIntegerField(default=1)

    class Meta:
        indexes = [
            models.Index(fields=["operation"], condition=Q(times_left__gt=0), name="standin_behaviours_left")
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.effect} × {self.times_left}"

    @classmethod
    def take(cls, operation: Operation, among: Iterable[Effect] | None = None) -> "Behaviour | None":
        """The next one for `operation`, used up by one; two who ask at once never use the same time."""
        effects = list(EFFECTS[operation] if among is None else among)
        rows = cls.objects.filter(operation=operation, effect__in=effects, times_left__gt=0)
        for one in rows.order_by("pk"):
            if cls.objects.filter(pk=one.pk, times_left__gt=0).update(times_left=F("times_left") - 1):
                return one
        return None
