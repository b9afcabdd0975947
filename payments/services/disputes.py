"""Disputes: a payer's bank wants the money back. Their unspent credits of that payment wait until it is decided."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from audit.services import record
from notifications.services import notify
from payments.accounts import AccountSpec, ensure_accounts, member_account
from payments.charges import identifier, text, whole
from payments.ledger import Leg, post
from payments.models import Dispute, Payment, ReviewItem, WebhookEvent
from payments.money import format_amount
from payments.services.lots import held_account, holdings_of, lock_wallet
from payments.services.reviewing import open_review, resolve_by_itself
from payments.services.settling import issued_account, paystack_account, sales_account
from payments.services.standing import going_back, standing

State = Dispute.State
_FOR_US = "declined"


class TooEarlyError(Exception):
    """A dispute about a payment that is not booked as paid: its event is tried again, and shown to staff meanwhile."""


def note_event(
    event: WebhookEvent, name: str, data: Mapping[str, Any], now: dt.datetime
) -> tuple[Payment | None, str] | None:
    """What `charge.dispute.create`, `.remind` or `.resolve` says of a payment of ours."""
    number = identifier(data.get("id"))
    found = Payment.objects.filter(reference=event.reference).first() if event.reference else None
    if found is None:
        return None
    payment = Payment.objects.select_for_update().get(pk=found.pk)
    if number is None:
        open_review(
            kind=ReviewItem.Kind.DISPUTE,
            key=f"event:{event.pk}:dispute",
            reason=_("A dispute about this payment came without its number: look at Paystack's dashboard."),
            payment=payment,
            event=event,
            now=now,
        )
        return payment, "dispute without a number"
    if not payment.is_paid:
        raise TooEarlyError(_("There is a dispute about this payment, which is not booked as paid."))
    dispute = Dispute.objects.filter(paystack_id=number).first()
    if dispute is None:
        dispute = _open(payment, number, data, now)
    elif (due_at := _time(data.get("due_at") or data.get("dueAt"))) is not None:
        dispute.due_at = due_at
        dispute.save(update_fields=["due_at"])
    resolution = text(data.get("resolution"), 80)
    is_over = name == "charge.dispute.resolve" or text(data.get("status"), 40) == "resolved"
    if is_over and dispute.state == State.OPEN:
        _resolve(payment, dispute, resolution, whole(data.get("refund_amount")), now)
    elif is_over and (resolution == _FOR_US) != (dispute.state == State.WON):
        open_review(
            kind=ReviewItem.Kind.DISPUTE,
            key=f"{_review_key(dispute)}:contradicted",
            reason=_("Paystack says another end of a dispute than is booked here: look at its dashboard."),
            payment=payment,
            event=event,
            now=now,
        )
    return payment, f"dispute {dispute.state}"


def _open(payment: Payment, number: int, data: Mapping[str, Any], now: dt.datetime) -> Dispute:
    wallet = lock_wallet(payment)
    credits = holdings_of(wallet).lots.get(payment.name, 0) if wallet and payment.credits else 0
    amount = whole(data.get("refund_amount"))
    dispute = Dispute.objects.create(
        paystack_id=number,
        payment=payment,
        amount=payment.price if amount is None else amount,
        held_credits=credits,
        due_at=_time(data.get("due_at") or data.get("dueAt")),
        opened_at=now,
    )
    payment.status = Payment.Status.DISPUTED
    payment.save(update_fields=["status"])
    words = format_amount(dispute.amount, payment.currency)
    open_review(
        kind=ReviewItem.Kind.DISPUTE,
        key=_review_key(dispute),
        reason=_("The payer's bank wants %(amount)s back. Answer it in Paystack's dashboard.")
        % {"amount": words},
        payment=payment,
        now=now,
    )
    record(
        actor=None,
        action="dispute.opened",
        target=dispute,
        data={"payment": str(payment.public_id), "amount": dispute.amount, "credits": credits},
        now=now,
    )
    notify(
        kind="payments.dispute_opened",
        about=dispute.name,
        context={
            "reference": payment.reference,
            "amount": words,
            "due_at": f"{dispute.due_at:%Y-%m-%d %H:%M} UTC" if dispute.due_at else "",
            "credits": credits,
            "payment": payment.pk,
        },
        idem_key=f"dispute:{dispute.public_id}:opened",
        not_before=now,
        now=now,
    )
    if credits:
        assert payment.member_id is not None
        _move(
            payment,
            dispute,
            "dispute.held",
            [
                (member_account(payment.member_id, "CREDIT"), -credits),
                (held_account(payment, "CREDIT"), credits),
            ],
            now,
        )
    return dispute


def _resolve(
    payment: Payment, dispute: Dispute, resolution: str, refunded: int | None, now: dt.datetime
) -> None:
    """`declined` is for us; `merchant-accepted` and whatever else takes money is for the payer."""
    is_won = resolution == _FOR_US
    wanted = dispute.amount if refunded is None else refunded
    amount = 0 if is_won else min(wanted, max(0, payment.price - going_back(payment)))
    dispute.state = State.WON if is_won else State.LOST
    dispute.resolution, dispute.resolved_at = resolution, now
    if not is_won:
        dispute.amount = amount  # what was taken counts from here
    dispute.save()
    payment.status = standing(payment)
    payment.save(update_fields=["status"])
    if not is_won and wanted > amount:
        open_review(
            kind=ReviewItem.Kind.DISPUTE,
            key=f"{_review_key(dispute)}:more",
            reason=_("The payer's bank took %(wanted)s, and only %(left)s of this payment was left.")
            % {
                "wanted": format_amount(wanted, payment.currency),
                "left": format_amount(amount, payment.currency),
            },
            payment=payment,
            now=now,
        )
    resolve_by_itself(_review_key(dispute), note=resolution or dispute.state, now=now)
    record(
        actor=None,
        action="dispute.resolved",
        target=dispute,
        data={"payment": str(payment.public_id), "resolution": resolution, "amount": amount},
        now=now,
    )
    moves: list[tuple[AccountSpec, int]] = []
    if dispute.held_credits:
        assert payment.member_id is not None
        to = member_account(payment.member_id, "CREDIT") if is_won else issued_account()
        moves += [(held_account(payment, "CREDIT"), -dispute.held_credits), (to, dispute.held_credits)]
    if amount:
        moves += [(sales_account(payment.currency), -amount), (paystack_account(payment.currency), amount)]
    if moves:
        _move(payment, dispute, "dispute.released" if is_won else "dispute.lost", moves, now)


def _move(
    payment: Payment, dispute: Dispute, kind: str, moves: list[tuple[AccountSpec, int]], now: dt.datetime
) -> None:
    accounts = ensure_accounts([spec for spec, _amount in moves])
    post(
        idem_key=f"dispute:{dispute.public_id}:{kind}",
        kind=kind,
        legs=[Leg(accounts[spec.code], amount) for spec, amount in moves],
        about=payment.name,
        actor=None,
        now=now,
    )


def _time(value: object) -> dt.datetime | None:
    try:
        found = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if found is None:
        return None
    return found.astimezone(dt.UTC) if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _review_key(dispute: Dispute) -> str:
    return f"dispute:{dispute.public_id}"
