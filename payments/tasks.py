"""The payments' jobs. Each finds its work in PostgreSQL; a lost or repeated task message changes nothing."""

from celery import shared_task
from django.utils import timezone

from payments import approvals
from payments.services import asking, paying_out, refunding, webhook

MOST_ROUNDS = 50
"""Of 200 events, in one run; the next run goes on."""


@shared_task(name="payments.tasks.expire_approvals")
def expire_approvals() -> None:
    """Close every request that waited too long for a second person."""
    approvals.expire_approvals(now=timezone.now())


@shared_task(name="payments.tasks.work_on_events")
def work_on_events() -> None:
    """Work on events of Paystack that were kept and not finished."""
    for _round in range(MOST_ROUNDS):
        if not webhook.work_on_due_events(now=timezone.now()):
            break


@shared_task(name="payments.tasks.check_payments")
def check_payments() -> None:
    """Ask Paystack what became of payments that are due."""
    asking.check_due_payments(now=timezone.now())


@shared_task(name="payments.tasks.ask_refunds")
def ask_refunds() -> None:
    """Ask Paystack for refunds, and about those it has not decided."""
    refunding.ask_due_refunds(now=timezone.now())


@shared_task(name="payments.tasks.pay_withdrawals")
def pay_withdrawals() -> None:
    """Send withdrawals that were approved, and ask about those that Paystack has not finished."""
    paying_out.send_due_withdrawals(now=timezone.now())


@shared_task(name="payments.tasks.compare_listing")
def compare_listing() -> None:
    """Hold Paystack's list of payments against ours."""
    asking.compare_with_listing(now=timezone.now())
