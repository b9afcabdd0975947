"""How a paid payment stands: how much of it went back, and what it is called by that.

Money goes back in two ways, by refunds and by disputes that were lost; each has to know of the other, or more goes back
than came in.
"""

from django.db.models import QuerySet, Sum

from payments.models import Dispute, Payment, Refund

Status = Payment.Status


def going_back(payment: Payment) -> int:
    """Minor units that went back, or are on their way: refunds that have not failed, and disputes that were lost."""
    return _sum(payment.refunds.active()) + _lost(payment)


def standing(payment: Payment) -> str:
    """What a paid payment is called: disputed while a dispute is open, else by how much of it went back."""
    if payment.disputes.filter(state=Dispute.State.OPEN).exists():
        return Status.DISPUTED
    done = payment.refunds.filter(state=Refund.State.PROCESSED)
    money = _sum(done) + _lost(payment)
    if not money:
        return Status.SUCCEEDED
    credits = done.aggregate(total=Sum("credits"))["total"] or 0
    is_all = money >= payment.price or (payment.credits and credits >= payment.credits)
    return Status.REFUNDED if is_all else Status.PARTLY_REFUNDED


def _lost(payment: Payment) -> int:
    return _sum(payment.disputes.filter(state=Dispute.State.LOST))


def _sum(rows: QuerySet[Refund] | QuerySet[Dispute]) -> int:
    return rows.aggregate(total=Sum("amount"))["total"] or 0
