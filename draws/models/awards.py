"""What is owed to a person: from a draw today, from contests and competitions later. One machine for all."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Award(models.Model):
    """One prize for one person, from the moment it is theirs until it is paid or falls back.

    `key` says what it is for (`draw:<uuid>:slot:0:rank:0`): the second attempt to award the same meets it.
    """

    class State(models.TextChoices):
        CLAIMABLE = "claimable", _("To be claimed")
        CLAIMED = "claimed", _("Claimed")
        PAID = "paid", _("Paid")
        EXPIRED = "expired", _("Expired")
        REVERSED = "reversed", _("Reversed")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    key = models.CharField(max_length=120, unique=True)
    about = models.CharField(max_length=120, db_index=True)
    pool = models.CharField(max_length=80)
    title = models.CharField(_("prize"), max_length=120)
    member = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="awards"
    )
    identity = models.CharField(_("e-mail or phone"), max_length=254, null=True, db_index=True)
    kind = models.CharField(_("kind"), max_length=16)
    unit = models.CharField(_("unit"), max_length=12, blank=True)
    amount = models.PositiveBigIntegerField(_("amount"), default=0)
    state = models.CharField(_("state"), max_length=16, choices=State.choices)
    claim_until = models.DateTimeField(_("claim until"), null=True)
    payout = models.OneToOneField(
        "payments.LedgerEntry", on_delete=models.PROTECT, null=True, related_name="award"
    )
    created_at = models.DateTimeField()
    paid_at = models.DateTimeField(_("paid"), null=True)

    class Meta:
        verbose_name = _("award")
        ordering = ("-pk",)
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(state="paid") | models.Q(paid_at__isnull=False),
                name="draws_award_paid_at",
            ),
            # Money counts as paid only when the ledger says so.
            models.CheckConstraint(
                condition=~models.Q(state="paid") | models.Q(unit="") | models.Q(payout__isnull=False),
                name="draws_award_paid_by_ledger",
            ),
        ]

    def __str__(self) -> str:
        return self.title
