"""What a person has to look at: payments that don't fit, events that failed, refunds that need attention."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from payments.models.buying import Payment
from payments.models.inbox import WebhookEvent


class ReviewItem(models.Model):
    """One matter for staff, opened once under its `key`: taken by somebody, noted upon, resolved."""

    class Kind(models.TextChoices):
        AMOUNT = "amount", _("Amount doesn't cover the price")
        CURRENCY = "currency", _("Paid in another currency")
        DOMAIN = "domain", _("Test payment on a live site, or the other way round")
        EVENT = "event", _("Event that could not be worked on")
        BAD_EVENT = "bad_event", _("Signed request that is no event")
        METADATA = "metadata", _("Charge without our metadata")
        ORPHAN_THERE = "orphan_there", _("Paid at Paystack, unknown here")
        ORPHAN_HERE = "orphan_here", _("Booked here, unknown at Paystack")
        CHECKOUT = "checkout", _("Checkout whose outcome is unknown")
        REFUND = "refund", _("Refund that needs attention")
        DISPUTE = "dispute", _("Dispute")
        WITHDRAWAL = "withdrawal", _("Withdrawal that needs attention")

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        TAKEN = "taken", _("Taken")
        RESOLVED = "resolved", _("Resolved")

    public_id = models.UUIDField(_("number"), default=uuid.uuid4, unique=True, editable=False)
    key = models.CharField(_("key"), max_length=200, unique=True)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    reason = models.TextField(_("what is wrong"))
    payment = models.ForeignKey(
        Payment,
        verbose_name=_("payment"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="reviews",
    )
    event = models.ForeignKey(
        WebhookEvent,
        verbose_name=_("event"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="reviews",
    )
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.OPEN)
    taken_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("taken by"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    opened_at = models.DateTimeField(_("opened"))
    resolved_at = models.DateTimeField(_("resolved"), null=True, blank=True)

    class Meta:
        verbose_name = _("review item")
        verbose_name_plural = _("review items")
        constraints = [
            models.CheckConstraint(
                condition=Q(state="resolved", resolved_at__isnull=False)
                | Q(state__in=("open", "taken"), resolved_at__isnull=True),
                name="payments_review_resolved",
            ),
        ]
        indexes = [
            models.Index(
                fields=["opened_at"], name="payments_review_open", condition=Q(resolved_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()

    @property
    def name(self) -> str:
        """How the trail and messages call it."""
        return f"payments.reviewitem:{self.public_id}"


class ReviewNote(models.Model):
    """What somebody wrote on a review item, for good."""

    item = models.ForeignKey(
        ReviewItem, verbose_name=_("review item"), on_delete=models.CASCADE, related_name="notes"
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("who"), on_delete=models.PROTECT, null=True, related_name="+"
    )
    at = models.DateTimeField(_("time"))
    text = models.TextField(_("note"))

    class Meta:
        verbose_name = _("note")
        verbose_name_plural = _("notes")
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return self.text[:60]
