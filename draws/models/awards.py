"""What is owed to a person: from a draw today, from contests and competitions later. One machine for all."""

import datetime as dt
import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from draws.voucher_codes import CODE_LENGTH, spell_out


class AwardQuerySet(models.QuerySet["Award"]):
    """Sets of awards that jobs and pages ask for."""

    def due_to_expire(self, now: dt.datetime) -> "AwardQuerySet":
        """Not claimed, and the time for it is over."""
        return self.filter(state=Award.State.CLAIMABLE, claim_until__lt=now)

    def to_send(self) -> "AwardQuerySet":
        """Things whose winners have said where to: somebody has to send them."""
        return self.filter(state=Award.State.CLAIMED, kind=Award.PHYSICAL)


class Award(models.Model):
    """One prize for one person, from the moment it is theirs until it is paid or falls back.

    `key` says what it is for (`draw:<uuid>:slot:0:rank:0`): the second attempt to award the same meets it.
    `source` names who owns it (`draws/sources.py`): whose notices it gets, and what follows when it is lost.
    While money is to be claimed it lies on the *owed* account of `pool`. `claim_version` is the version of the
    secret links to it: raising it makes every link given out so far worthless.
    """

    VOUCHER = "voucher"
    PHYSICAL = "physical"

    class State(models.TextChoices):
        ALLOCATED = "allocated", _("Set aside")
        CLAIMABLE = "claimable", _("To be claimed")
        CLAIMED = "claimed", _("Claimed")
        PAID = "paid", _("Paid")
        EXPIRED = "expired", _("Expired")
        REVERSED = "reversed", _("Reversed")

    class Ending(models.TextChoices):
        FORFEITED = "forfeited", _("Not claimed in time")
        DECLINED = "declined", _("Declined")
        DISQUALIFIED = "disqualified", _("Taken back")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    key = models.CharField(max_length=120, unique=True)
    source = models.CharField(max_length=40, default="draws.draw")
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
    terms = models.TextField(_("terms"), blank=True)
    valid_days = models.PositiveSmallIntegerField(_("days the voucher is valid"), default=365)
    state = models.CharField(_("state"), max_length=16, choices=State.choices)
    claim_until = models.DateTimeField(_("claim until"), null=True)
    claim_version = models.PositiveIntegerField(_("version of the claim link"), default=1)
    claimed_at = models.DateTimeField(_("claimed"), null=True)
    payout = models.OneToOneField(
        "payments.LedgerEntry", on_delete=models.PROTECT, null=True, related_name="award"
    )
    note = models.CharField(_("note to the winner"), max_length=300, blank=True)
    created_at = models.DateTimeField()
    paid_at = models.DateTimeField(_("paid"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)
    ended_as = models.CharField(_("why it ended"), max_length=16, choices=Ending.choices, blank=True)
    reversal = models.OneToOneField(
        "payments.LedgerEntry", on_delete=models.PROTECT, null=True, related_name="reversed_award"
    )

    objects: ClassVar[AwardQuerySet] = AwardQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("award")
        ordering = ("-pk",)
        permissions = [
            ("expire_awards", "Can run the expiry of prizes not claimed in time"),
            ("replace_winner", "Can replace a winner"),
            ("hand_over_award", "Can mark prizes as sent and renew claim links"),
        ]
        indexes = [
            models.Index(
                fields=["claim_until"],
                name="draws_award_claimable",
                condition=models.Q(state="claimable"),
            ),
        ]
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
            models.CheckConstraint(
                condition=~models.Q(state__in=("expired", "reversed"))
                | (models.Q(ended_at__isnull=False) & ~models.Q(ended_as="")),
                name="draws_award_ended",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def state_word(self) -> str:
        """Where it stands, in a word; of what ended, how."""
        return str(self.get_ended_as_display() if self.ended_as else self.get_state_display())

    @property
    def is_reachable(self) -> bool:
        """Whether there is still somebody to claim it: an erased person has neither account nor address."""
        return self.member_id is not None or bool(self.identity)

    def can_be_claimed(self, now: dt.datetime) -> bool:
        """Whether it waits for its winner, and there is time left."""
        return self.state == self.State.CLAIMABLE and (self.claim_until is None or now <= self.claim_until)


class Voucher(models.Model):
    """A voucher prize that was claimed: a code that can be used once."""

    award = models.OneToOneField(Award, on_delete=models.PROTECT, related_name="voucher")
    code = models.CharField(_("code"), max_length=CODE_LENGTH, unique=True, editable=False)
    value = models.CharField(_("value"), max_length=160)
    terms = models.TextField(_("terms"), blank=True)
    issued_at = models.DateTimeField(_("issued"))
    expires_at = models.DateTimeField(_("valid until"))
    redeemed_at = models.DateTimeField(_("redeemed"), null=True)
    redeemed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    redeemed_note = models.CharField(_("where and for what"), max_length=300, blank=True)
    voided_at = models.DateTimeField(_("voided"), null=True)

    class Meta:
        verbose_name = _("voucher")
        ordering = ("-pk",)
        permissions = [("redeem_voucher", "Can redeem a voucher")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(redeemed_at__isnull=True) | models.Q(voided_at__isnull=True),
                name="draws_voucher_used_or_voided",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.value} · …{self.code[-4:]}"

    @property
    def spelled(self) -> str:
        """The code as people read it: `7KQ2-…`."""
        return spell_out(self.code)

    def state_at(self, now: dt.datetime) -> str:
        """redeemed, voided, expired or valid."""
        if self.redeemed_at is not None:
            return "redeemed"
        if self.voided_at is not None:
            return "voided"
        return "expired" if self.expires_at < now else "valid"


class PrizeAddress(models.Model):
    """Where a thing is to be sent. A row of its own, so that it can be erased when the thing has arrived."""

    award = models.OneToOneField(Award, on_delete=models.PROTECT, related_name="address")
    name = models.CharField(_("name"), max_length=100)
    street = models.CharField(_("street and number"), max_length=200)
    city = models.CharField(_("city"), max_length=100)
    postcode = models.CharField(_("postcode"), max_length=16, blank=True)
    country = models.CharField(_("country"), max_length=2, help_text=_("ISO 3166, two letters"))
    phone = models.CharField(_("phone"), max_length=20)
    given_at = models.DateTimeField(_("given"))

    class Meta:
        verbose_name = _("prize address")
        verbose_name_plural = _("prize addresses")
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.name}, {self.city}"
