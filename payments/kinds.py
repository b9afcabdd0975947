"""The message kinds of payments, and who receives them."""

import datetime as dt

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.rights import holders_of
from notifications.kinds import Category, Channel, Kind, Reach, register
from notifications.models import Message
from notifications.recipients import members
from payments.approvals import deciders_of
from payments.models import Approval

_BOTH = {Channel.IN_APP: Reach.EVERYONE, Channel.EMAIL: Reach.EVERYONE}
_APPROVAL = {
    "title": str,
    "what": str,
    "amounts": str,
    "thing": str,
    "reason": str,
    "approval": int,
    "by": str,
}


def deciders(message: Message) -> QuerySet[User, dict[str, object]]:
    """Those who may decide about the approval that the message is about; not who asked."""
    approval = Approval.objects.get(public_id=message.about.removeprefix("payments.approval:"))
    return members(deciders_of(approval))


def finance(message: Message) -> QuerySet[User, dict[str, object]]:
    """Those who look after payments."""
    return members(holders_of("payments.manage_payments"))


_WITHDRAWAL = {"amount": str, "bank": str, "reason": str, "reference": str}

KINDS = (
    Kind(
        name="payments.withdrawal_requested",
        title=_("A member asks to be paid out"),
        category=Category.TRANSACTIONAL,
        channels=_BOTH,
        variables={"amount": str, "bank": str, "reference": str, "withdrawal": int},
        recipients=finance,
        for_staff=True,
    ),
    Kind(
        name="payments.withdrawal_paid",
        title=_("Your withdrawal was paid"),
        category=Category.TRANSACTIONAL,
        channels=_BOTH,
        variables=_WITHDRAWAL,
    ),
    Kind(
        name="payments.withdrawal_failed",
        title=_("Your withdrawal failed"),
        category=Category.TRANSACTIONAL,
        channels=_BOTH,
        variables=_WITHDRAWAL,
    ),
    Kind(
        name="payments.withdrawal_rejected",
        title=_("Your withdrawal was rejected"),
        category=Category.TRANSACTIONAL,
        channels=_BOTH,
        variables=_WITHDRAWAL,
    ),
    Kind(
        name="payments.payment_settled",
        title=_("A payment arrived"),
        category=Category.TRANSACTIONAL,
        channels=_BOTH,
        variables={"title": str, "price": str, "credits": int, "reference": str, "page": str},
    ),
    Kind(
        name="payments.dispute_opened",
        title=_("A payer's bank wants money back"),
        category=Category.TRANSACTIONAL,
        channels=_BOTH,
        variables={"reference": str, "amount": str, "due_at": str, "credits": int, "payment": int},
        recipients=finance,
        for_staff=True,
    ),
    Kind(
        name="payments.approval_requested",
        title=_("An act with money waits for a second person"),
        category=Category.TRANSACTIONAL,
        channels=_BOTH,
        variables={**_APPROVAL, "expires_at": dt.datetime},
        recipients=deciders,
        for_staff=True,
    ),
    Kind(
        name="payments.approval_decided",
        title=_("What became of an act with money that you asked for"),
        category=Category.TRANSACTIONAL,
        channels=_BOTH,
        variables={**_APPROVAL, "outcome": str, "note": str},
        for_staff=True,
    ),
)


def register_kinds() -> None:
    """Called once the apps are loaded."""
    for kind in KINDS:
        register(kind)
