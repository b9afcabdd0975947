"""Bodies of Paystack's events name payers, their addresses and digits of their cards: they are emptied in time.

What stays of an event is what the books need: digest (by which a repeat is known), name, reference, state, outcome,
times. What is unfinished, or somebody still looks into, stays whole; a trigger (migration 0017) holds that.
"""

import datetime as dt

import psycopg
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import User
from payments.models import Dispute, Payment, ReviewItem, WebhookEvent, Withdrawal

TRIES = 3
_NEEDED = "payments_event_is_needed"


def empty_old_bodies(*, now: dt.datetime) -> int:
    """Empty what was finished `PAYMENTS_WEBHOOK_BODY_DAYS` ago, and what is of people erased since; returns how many.

    One statement, begun anew when somebody begins to look into one of them meanwhile. The second half is for events that
    came, or were finished, only after their person's erasure.
    """
    before = now - dt.timedelta(days=settings.PAYMENTS_WEBHOOK_BODY_DAYS)
    erased = Payment.objects.filter(email="", member__isnull=False)
    destinations = Withdrawal.objects.filter(
        account_number="", account_name="", state__in=Withdrawal.FINISHED
    )
    is_of_erased = (
        Q(payment__in=erased)
        | Q(reference__in=erased.values("reference"))
        | Q(reference__in=destinations.values("reference"))
    )
    which = Q(first_at__lte=before, done_at__lte=before) | is_of_erased
    for tries_left in reversed(range(TRIES)):
        try:
            with transaction.atomic():
                return _emptiable().filter(which).update(body=b"")
        except IntegrityError as error:
            # The statement looked before the review item was opened, the trigger after.
            if not tries_left or _constraint_of(error) != _NEEDED:
                raise
    raise AssertionError("unreachable")


def _constraint_of(error: IntegrityError) -> str | None:
    cause = error.__cause__
    return cause.diag.constraint_name if isinstance(cause, psycopg.Error) else None


def empty_bodies_of(member: User) -> int:
    """Empty what is finished of a person's payments and withdrawals; returns how many. One statement."""
    return _emptiable().filter(events_of(member)).update(body=b"")


def events_of(member: User) -> Q:
    """The events that are about a person's payments and withdrawals."""
    payments, withdrawals = Payment.objects.filter(member=member), Withdrawal.objects.filter(member=member)
    return (
        Q(payment__in=payments)
        | Q(reference__in=payments.values("reference"))
        | Q(reference__in=withdrawals.values("reference"))
    )


def _emptiable() -> QuerySet[WebhookEvent]:
    """Finished, not empty yet, and needed by nobody: what the trigger lets through."""
    ours = Q(payment=OuterRef("payment")) | Q(payment__reference=OuterRef("reference"))
    open_items = ReviewItem.objects.filter(resolved_at=None)
    return (
        WebhookEvent.objects.filter(state__in=WebhookEvent.FINISHED, try_after=None)
        .exclude(body=b"")
        .exclude(Exists(open_items.filter(event=OuterRef("pk"))))
        .exclude(Exists(open_items.filter(ours)))
        .exclude(Exists(Dispute.objects.filter(ours, state=Dispute.State.OPEN)))
    )
