"""What the ledger keeps of a person. Amounts stay: they are other people's books too. They point to an account that,
once erased, names nobody.
"""

import datetime as dt
from typing import Any

from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.privacy import Person
from audit.services import target_name
from notifications.models import Message
from notifications.privacy import blank_value
from payments.accounts import AccountSpec, ensure_accounts, wallets_of
from payments.ledger import EntrySpec, Leg, post_many
from payments.models import Approval, Dispute, Payment, Posting, Refund, WebhookEvent, Withdrawal
from payments.services.emptying import empty_bodies_of, empty_old_bodies, events_of


def forfeited_account(unit: str) -> AccountSpec:
    """Where what erased people gave up lies: no floor, and a sum instead of a balance."""
    return AccountSpec(code=f"world:forfeited:{unit}", unit=unit, floor=None, is_materialised=False)


def export(*, person: Person) -> dict[str, Any]:
    """Their wallets, every movement in them, what they bought and took out, and what Paystack told of it."""
    if person.member is None:
        return {}
    postings = Posting.objects.filter(account__in=wallets_of(person.member)).order_by("pk")
    payments = Payment.objects.filter(member=person.member).order_by("pk")
    return {
        "payments": list(
            payments.values(
                "reference",
                "title",
                "credits",
                "price",
                "currency",
                "status",
                "email",
                "created_at",
                "settled_at",
                "channel",
            ).iterator()
        ),
        "withdrawals": list(
            Withdrawal.objects.filter(member=person.member)
            .order_by("pk")
            .values(
                "reference",
                "unit",
                "amount",
                "state",
                "bank_name",
                "account_number",
                "account_name",
                "reason",
                "requested_at",
                "finished_at",
            )
            .iterator()
        ),
        # What Paystack told us about these. Bodies are its own words (address, last digits of a card), kept for a while.
        "events": list(
            WebhookEvent.objects.filter(events_of(person.member))
            .order_by("pk")
            .annotate(is_body_kept=~Q(body=b""))
            .values("event", "reference", "state", "outcome", "first_at", "done_at", "is_body_kept")
            .iterator()
        ),
        "wallets": [{"unit": wallet.unit, "balance": wallet.balance} for wallet in wallets_of(person.member)],
        "movements": list(
            postings.values(
                "amount",
                "unit",
                "balance_after",
                receipt=F("entry__public_id"),
                kind=F("entry__kind"),
                about=F("entry__about"),
                reason=F("entry__reason"),
                at=F("entry__created_at"),
            ).iterator()
        ),
    }


def why_not_yet(*, person: Person) -> str:
    """What of theirs is still on its way, for staff; empty where everything has ended."""
    if person.member is None:
        return ""
    unfinished = (
        Refund.objects.filter(payment__member=person.member, state__in=Refund.OPEN).exists()
        or Dispute.objects.filter(payment__member=person.member, state=Dispute.State.OPEN).exists()
        or Withdrawal.objects.filter(member=person.member, finished_at=None).exists()
    )
    return (
        _("A refund, a dispute or a withdrawal of theirs is not finished: wait for it, or end it.")
        if unfinished
        else ""
    )


def erase(*, person: Person) -> dict[str, int]:
    """Take the name out of messages about acts with their wallet, or that they asked for; addresses and accounts off
    payments and withdrawals, and what Paystack said of them. Moves nothing."""
    if person.member is None:
        return {}
    about_them = Approval.objects.filter(about=target_name(person.member))
    by_them = Approval.objects.filter(Q(requested_by=person.member) | Q(decided_by=person.member))
    payments = Payment.objects.filter(member=person.member).exclude(email="")
    finished = Withdrawal.objects.filter(member=person.member, state__in=Withdrawal.FINISHED)
    return {
        "event_bodies": empty_bodies_of(person.member),
        "withdrawal_destinations": finished.exclude(account_number="", account_name="").update(
            account_number="", account_name=""
        ),
        "payment_addresses": payments.update(email=""),
        "approval_messages": _blank("thing", about_them) + _blank("by", by_them),
    }


def erase_old(*, now: dt.datetime) -> dict[str, int]:
    """Empty what Paystack told us long ago (`docs/privacy.md`). Returns how many rows."""
    return {"webhook_bodies": empty_old_bodies(now=now)}


def _blank(variable: str, approvals: QuerySet[Approval]) -> int:
    """Put a dash for one value of every message about these approvals."""
    abouts = [f"payments.approval:{public_id}" for public_id in approvals.values_list("public_id", flat=True)]
    return blank_value(Message.objects.filter(about__in=abouts), variable)


def give_up_wallets(*, member: User, idem_key: str, now: dt.datetime) -> dict[str, int]:
    """Empty the person's wallets for good, as they agreed to; returns unit to amount. The last of a transaction."""
    wallets = [wallet for wallet in wallets_of(member) if wallet.balance]
    accounts = ensure_accounts(forfeited_account(wallet.unit) for wallet in wallets)
    post_many(
        [
            EntrySpec(
                idem_key=f"{idem_key}:{wallet.unit}",
                kind="wallet.given_up",
                legs=[
                    Leg(wallet, -wallet.balance),
                    Leg(accounts[forfeited_account(wallet.unit).code], wallet.balance),
                ],
                about=target_name(member),
            )
            for wallet in wallets
        ],
        now=now,
    )
    return {wallet.unit: wallet.balance for wallet in wallets}
