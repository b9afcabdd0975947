"""What can be bought and what was: packages of credits, and payments.

A payment copies what it buys, for how much, when the checkout begins, and a trigger (migration 0013) keeps that
copy: a package that becomes dearer tomorrow changes nothing about today's payment. Rows are written by
`payments.services` alone.
"""

import datetime as dt
import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from payments.models.ledger import LedgerEntry
from payments.money import CURRENCIES


class Package(models.Model):
    """Credits at a price. Changing one changes what later buyers are offered, never a payment that has begun."""

    public_id = models.UUIDField(_("number"), default=uuid.uuid4, unique=True, editable=False)
    title = models.CharField(_("title"), max_length=80)
    credits = models.PositiveIntegerField(_("credits"))
    price = models.BigIntegerField(
        _("price"), help_text=_("Minor units: 40000 is KES 400.00. A currency without cents has whole units.")
    )
    currency = models.CharField(
        _("currency"), max_length=3, choices=[(code, code) for code in CURRENCIES], default="KES"
    )
    position = models.PositiveSmallIntegerField(_("order"), default=0)
    is_active = models.BooleanField(_("on sale"), default=True)

    class Meta:
        verbose_name = _("package")
        verbose_name_plural = _("packages")
        ordering = ["position", "price", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(credits__gt=0, price__gt=0),
                name="payments_package_positive",
                violation_error_message=_("A package has credits and a price, both above zero."),
            ),
        ]

    def __str__(self) -> str:
        return self.title


class PaymentQuerySet(models.QuerySet["Payment"]):
    """Payments by what is to be done about them."""

    def due_for_check(self, now: dt.datetime) -> "PaymentQuerySet":
        """Those whose outcome Paystack should be asked for, the longest due first."""
        return self.filter(check_after__lte=now).order_by("check_after", "pk")


class Payment(models.Model):
    """One purchase: what was promised for how much, and what became of it.

    `created → initialized → pending → succeeded → partly_refunded | refunded`, and `disputed`. A payment that `failed`, was
    `abandoned` or `expired` may still succeed, because people pay late; one that succeeded never goes back.
    """

    class Status(models.TextChoices):
        CREATED = "created", _("Begun")
        INITIALIZED = "initialized", _("At Paystack")
        PENDING = "pending", _("Waiting for the bank")
        SUCCEEDED = "succeeded", _("Paid")
        PARTLY_REFUNDED = "partly_refunded", _("Partly refunded")
        REFUNDED = "refunded", _("Refunded")
        DISPUTED = "disputed", _("Disputed")
        FAILED = "failed", _("Failed")
        ABANDONED = "abandoned", _("Abandoned")
        EXPIRED = "expired", _("Expired")

    OPEN = (Status.CREATED, Status.INITIALIZED, Status.PENDING)
    LOST = (Status.FAILED, Status.ABANDONED, Status.EXPIRED)
    UNPAID = (*OPEN, *LOST)
    PAID = (Status.SUCCEEDED, Status.PARTLY_REFUNDED, Status.REFUNDED, Status.DISPUTED)

    public_id = models.UUIDField(_("number"), default=uuid.uuid4, unique=True, editable=False)
    reference = models.CharField(
        _("reference"), max_length=60, unique=True, help_text=_("Ours, and Paystack's name for it.")
    )
    checkout_key = models.UUIDField(
        _("checkout key"),
        unique=True,
        help_text=_("Of the form that was sent: sent twice, it is one payment."),
    )
    member = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("payer"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="payments",
    )
    email = models.EmailField(_("e-mail"), help_text=_("Where Paystack sends its receipt."))
    kind = models.CharField(_("kind of thing"), max_length=40)
    item = models.CharField(_("thing"), max_length=60)
    title = models.CharField(_("what is bought"), max_length=120)
    credits = models.PositiveIntegerField(_("credits"))
    price = models.BigIntegerField(_("price"))
    currency = models.CharField(_("currency"), max_length=3)
    domain = models.CharField(
        _("domain"),
        max_length=4,
        choices=[("test", _("test")), ("live", _("live"))],
        help_text=_("Of our key."),
    )
    status = models.CharField(_("status"), max_length=16, choices=Status.choices, default=Status.CREATED)
    failure = models.CharField(_("why it was not paid"), max_length=300, blank=True)
    authorization_url = models.URLField(_("Paystack's page"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("begun"))
    asked_at = models.DateTimeField(
        _("asked for a page"),
        null=True,
        blank=True,
        help_text=_("When Paystack was asked for its page; once."),
    )
    check_after = models.DateTimeField(
        _("next look"),
        null=True,
        blank=True,
        help_text=_("When Paystack is asked again; empty: not any more."),
    )
    checks = models.PositiveSmallIntegerField(_("looks"), default=0)
    settled_at = models.DateTimeField(_("paid"), null=True, blank=True)
    settled_by = models.CharField(_("learned by"), max_length=16, blank=True)
    paid_amount = models.BigIntegerField(_("amount taken"), null=True, blank=True)
    channel = models.CharField(_("channel"), max_length=40, blank=True)
    paystack_id = models.BigIntegerField(_("Paystack's number"), null=True, blank=True, unique=True)
    entry = models.OneToOneField(
        LedgerEntry,
        verbose_name=_("ledger entry"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="payment",
    )

    objects = PaymentQuerySet.as_manager()

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        constraints = [
            models.CheckConstraint(
                condition=Q(price__gt=0, credits__gte=0), name="payments_payment_positive"
            ),
            # Credits and the word "paid" come together: neither without the entry that moved them.
            models.CheckConstraint(
                condition=Q(
                    status__in=("succeeded", "partly_refunded", "refunded", "disputed"),
                    entry__isnull=False,
                    settled_at__isnull=False,
                    paid_amount__isnull=False,
                )
                | Q(
                    status__in=("created", "initialized", "pending", "failed", "abandoned", "expired"),
                    entry__isnull=True,
                    settled_at__isnull=True,
                ),
                name="payments_payment_paid_has_entry",
            ),
        ]
        indexes = [
            models.Index(
                fields=["check_after"], name="payments_payment_due", condition=Q(check_after__isnull=False)
            ),
            models.Index(F("created_at").desc(), name="payments_payment_newest"),
            models.Index(fields=["member", "-created_at"], name="payments_payment_member"),
            models.Index(
                fields=["created_at"],
                name="payments_payment_unpaid",
                condition=Q(status__in=("failed", "abandoned", "expired")),
            ),
            models.Index(
                fields=["settled_at"], name="payments_payment_taken", condition=Q(settled_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def name(self) -> str:
        """How ledger, trail and messages call it."""
        return f"payments.payment:{self.public_id}"

    @property
    def channel_words(self) -> str:
        """How it was paid, as people say it: `mobile money`."""
        return self.channel.replace("_", " ")

    @property
    def tone(self) -> str:
        """How its badge looks."""
        if self.status == self.Status.SUCCEEDED:
            return "good"
        if self.status in (self.Status.FAILED, self.Status.DISPUTED):
            return "bad"
        return "warn" if self.status in self.OPEN else ""

    @property
    def is_paid(self) -> bool:
        """Whether money was taken and booked, whatever became of it later."""
        return self.status in self.PAID
