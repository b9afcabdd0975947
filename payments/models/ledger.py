"""The ledger: accounts, entries, postings; approvals of acts with money, and what was done without one.

Rows are written by `payments.ledger` and `payments.accounts` alone. What must hold of them is held by
PostgreSQL (migration 0002): an entry balances in each unit, an account's postings run on without a gap,
nothing is changed or removed afterwards, and a balance moves only together with its posting.
"""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from payments.money import format_amount


class Account(models.Model):
    """A place where amounts of one unit are kept. Everything but balance and version is fixed for good.

    A *materialised* account carries its balance and the number of its postings, and is locked while it is
    posted to. One that is not materialised (the outside world, a busy revenue account) takes no lock and
    so is never a queue; its balance is the sum of its postings.
    """

    code = models.CharField(_("code"), max_length=120, unique=True)
    unit = models.CharField(_("unit"), max_length=16)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("owner"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="ledger_accounts",
    )
    floor = models.BigIntegerField(
        _("floor"), null=True, blank=True, help_text=_("Empty: may fall without end.")
    )
    is_materialised = models.BooleanField(_("keeps a balance"), default=True)
    balance = models.BigIntegerField(_("balance"), default=0)
    version = models.BigIntegerField(_("postings"), default=0)

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        permissions = [("manage_payments", "Can move money and settle payments")]
        constraints = [
            models.UniqueConstraint(fields=["id", "unit"], name="payments_account_id_unit"),
            models.CheckConstraint(
                condition=Q(unit__regex=r"^[A-Z][A-Z0-9_]*$"), name="payments_account_unit_code"
            ),
            models.CheckConstraint(
                condition=Q(floor__isnull=True) | Q(balance__gte=F("floor")), name="payments_account_floor"
            ),
            models.CheckConstraint(
                condition=Q(is_materialised=True) | Q(floor__isnull=True, balance=0, version=0),
                name="payments_account_sum_only",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class LedgerEntry(models.Model):
    """One event in which amounts moved, known by a key that the caller chooses so that it happens once."""

    public_id = models.UUIDField(_("receipt number"), unique=True)
    idem_key = models.CharField(_("key"), max_length=200)
    kind = models.CharField(_("kind"), max_length=60)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("who"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text=_("Empty: the site itself."),
    )
    about = models.CharField(_("about"), max_length=200)
    reason = models.TextField(_("reason"), blank=True)
    digest = models.BinaryField(_("digest of its content"), max_length=32)
    created_at = models.DateTimeField(_("time"))

    # Not a column: true on the object returned by the very call that posted it, false when it was known already.
    is_new = False

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        # Declared here rather than on the fields, which would add a second index each for prefixes.
        constraints = [
            models.UniqueConstraint(
                fields=["idem_key"], name="payments_entry_idem_key", opclasses=["varchar_pattern_ops"]
            ),
            models.CheckConstraint(condition=~Q(idem_key=""), name="payments_entry_has_key"),
        ]
        indexes = [
            models.Index(fields=["about"], name="payments_entry_about", opclasses=["varchar_pattern_ops"])
        ]

    def __str__(self) -> str:
        return f"{self.kind} · {self.about}"


class Posting(models.Model):
    """One leg of an entry: a signed amount of the account's unit, and the balance it left behind.

    `position` counts an entry's legs from 1. All legs are inserted by one statement whose positions are 1…n
    (a trigger sees to that), so the unique (entry, position) is what refuses a second set of legs.
    """

    # Both foreign keys are made in migration 0002: the account's is to (id, unit), and neither is deferred.
    entry = models.ForeignKey(
        LedgerEntry,
        verbose_name=_("entry"),
        on_delete=models.PROTECT,
        related_name="postings",
        db_constraint=False,
        db_index=False,
    )
    position = models.SmallIntegerField(_("leg"))
    account = models.ForeignKey(
        Account,
        verbose_name=_("account"),
        on_delete=models.PROTECT,
        related_name="postings",
        db_constraint=False,
        db_index=False,
    )
    unit = models.CharField(_("unit"), max_length=16)
    amount = models.BigIntegerField(_("amount"))
    balance_after = models.BigIntegerField(_("balance"), null=True)
    version = models.BigIntegerField(_("number in its account"), null=True)

    class Meta:
        verbose_name = _("posting")
        verbose_name_plural = _("postings")
        constraints = [
            models.UniqueConstraint(fields=["entry", "position"], name="payments_posting_entry_position"),
            models.UniqueConstraint(fields=["account", "version"], name="payments_posting_account_version"),
            models.CheckConstraint(condition=~Q(amount=0), name="payments_posting_amount_not_zero"),
            models.CheckConstraint(
                condition=Q(version__isnull=True, balance_after__isnull=True)
                | Q(version__isnull=False, balance_after__isnull=False),
                name="payments_posting_version_with_balance",
            ),
        ]

    def __str__(self) -> str:
        return f"{'+' if self.amount > 0 else ''}{format_amount(self.amount, self.unit)}"


class Approval(models.Model):
    """An act that waits for a second person, and what became of it. Without amounts it has no ledger entry.

    What is asked for is fixed once it is asked (migration 0006), and `digest` is of all of it. The states go
    `requested → approved → done`, or end at `rejected`, `withdrawn` or `expired`; whoever asked never decides.
    Rows are written by `payments.approvals` alone.
    """

    class State(models.TextChoices):
        REQUESTED = "requested", _("Waiting")
        APPROVED = "approved", _("Approved")
        DONE = "done", _("Done")
        REJECTED = "rejected", _("Rejected")
        WITHDRAWN = "withdrawn", _("Withdrawn")
        EXPIRED = "expired", _("Expired")

    DECIDED = (State.APPROVED, State.DONE, State.REJECTED)
    """States that a second person has put it in."""

    public_id = models.UUIDField(_("number"), default=uuid.uuid4, unique=True, editable=False)
    idem_key = models.CharField(_("key"), max_length=200, unique=True)
    kind = models.CharField(_("kind"), max_length=60)
    amounts = models.JSONField(_("amounts"), help_text=_("Minor units by unit."))
    params = models.JSONField(_("parameters"))
    about = models.CharField(_("about"), max_length=200)
    reason = models.TextField(_("reason"))
    digest = models.BinaryField(_("digest of what is asked"), max_length=32)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("asked by"),
        on_delete=models.PROTECT,
        related_name="+",
    )
    requested_at = models.DateTimeField(_("asked"))
    expires_at = models.DateTimeField(_("waits until"))
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.REQUESTED)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("decided by"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("Empty: nobody has, or it was withdrawn or expired."),
    )
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    note = models.TextField(_("note"), blank=True)
    result = models.OneToOneField(
        LedgerEntry,
        verbose_name=_("ledger entry"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="approval",
    )

    class Meta:
        verbose_name = _("approval")
        verbose_name_plural = _("approvals")
        permissions = [("approve_money", "Can decide about what others ask to do with money")]
        constraints = [
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("requested_by")),
                name="payments_approval_two_people",
            ),
            models.CheckConstraint(
                condition=Q(state="requested", decided_by__isnull=True, decided_at__isnull=True)
                | Q(state__in=("withdrawn", "expired"), decided_by__isnull=True, decided_at__isnull=False)
                | Q(
                    state__in=("approved", "done", "rejected"),
                    decided_by__isnull=False,
                    decided_at__isnull=False,
                ),
                name="payments_approval_decided",
            ),
            models.CheckConstraint(
                condition=Q(state="done", result__isnull=False)
                | Q(state="done", result__isnull=True, amounts={})
                | ~Q(state="done") & Q(result__isnull=True),
                name="payments_approval_result",
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"], name="payments_approval_waiting", condition=Q(state="requested")
            ),
            models.Index(fields=["about"], name="payments_approval_about"),
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"

    @property
    def name(self) -> str:
        """How the trail and messages call it."""
        return f"payments.approval:{self.public_id}"


class AloneMove(models.Model):
    """What one person moved in a unit by one act without a second person; counted against the limit.

    Append-only (migration 0009): whoever could take a row back could move the same again.
    """

    entry = models.ForeignKey(LedgerEntry, on_delete=models.PROTECT, related_name="+", db_index=False)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    unit = models.CharField(_("unit"), max_length=16)
    amount = models.BigIntegerField(_("amount"))
    at = models.DateTimeField(_("time"))

    class Meta:
        verbose_name = _("move without a second person")
        verbose_name_plural = _("moves without a second person")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["entry", "unit"], name="payments_alone_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="payments_alone_amount"),
        ]
        indexes = [models.Index(fields=["by", "at"], name="payments_alone_by_at")]

    def __str__(self) -> str:
        return f"{self.amount} {self.unit}"
