"""Figures about buying: what a member has spent, and what Finance and the watch need to see. All from the tables, at once."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection
from django.db.models import Count, F, Min, Sum

from accounts.models import User
from payments.models import Payment, Posting, ReviewItem, WebhookEvent, WebhookRefusal

SALES = "revenue:sales:"
RECENT = dt.timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class BuyingFigures:
    """The last 24 hours, and what waits now. `success_rate` is of events worked on, None where there were none."""

    payments: Mapping[str, int]
    events: Mapping[str, int]
    duplicates: int
    refused: int
    reviews_open: int
    oldest_review_at: dt.datetime | None

    @property
    def success_rate(self) -> float | None:
        """Share of events that went through, of all that came."""
        total = sum(self.events.values())
        failed = self.events.get(WebhookEvent.State.FAILED, 0) + self.events.get(WebhookEvent.State.BAD, 0)
        return (total - failed) / total if total else None


@dataclass(frozen=True, slots=True)
class WaitingMoney:
    """Since when the oldest of each waits; None where nothing does."""

    review_at: dt.datetime | None
    """A review item that nobody has resolved."""
    failed_event_at: dt.datetime | None
    """An event that could not be worked on, by when it came."""
    due_event_at: dt.datetime | None
    """An event that somebody should have worked on by now, by when it was due."""
    withdrawal_at: dt.datetime | None
    """A withdrawal that is neither paid nor given back."""
    refund_at: dt.datetime | None
    """A refund of which nobody knows whether Paystack has it."""


def waiting_money(*, now: dt.datetime) -> WaitingMoney:
    """What waits for somebody, or for Paystack. One query of five parts, each answered by the first row of an index."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (SELECT min(opened_at) FROM payments_reviewitem WHERE resolved_at IS NULL),
                   (SELECT min(first_at) FROM payments_webhookevent WHERE state = 'failed'),
                   (SELECT min(try_after) FROM payments_webhookevent WHERE try_after <= %s),
                   (SELECT min(requested_at) FROM payments_withdrawal WHERE finished_at IS NULL),
                   (SELECT min(requested_at) FROM payments_refund WHERE finished_at IS NULL AND state = 'requested')
            """,
            [now],
        )
        return WaitingMoney(*cursor.fetchone())


def total_spent(member: User) -> dict[str, int]:
    """What a member has paid less what went back, by currency, in minor units: out of the ledger, not of the payments."""
    names = [payment.name for payment in Payment.objects.filter(member=member, entry__isnull=False)]
    rows = (
        Posting.objects.filter(entry__about__in=names, account__code__startswith=SALES)
        .order_by("unit")
        .values("unit")
        .annotate(total=Sum("amount"))
    )
    return {row["unit"]: row["total"] for row in rows}


def buying_figures(*, now: dt.datetime) -> BuyingFigures:
    """Five queries, each over the newest rows of an index or over what is open."""
    since = now - RECENT
    payments = Payment.objects.filter(created_at__gt=since).order_by().values_list("status")
    events = WebhookEvent.objects.filter(first_at__gt=since).order_by()
    open_items = ReviewItem.objects.filter(resolved_at=None).aggregate(n=Count("pk"), oldest=Min("opened_at"))
    refused = WebhookRefusal.objects.filter(hour__gt=since).aggregate(n=Sum("count"))["n"]
    return BuyingFigures(
        payments=dict(payments.annotate(n=Count("pk"))),
        events=dict(events.values_list("state").annotate(n=Count("pk"))),
        duplicates=events.aggregate(n=Sum(F("delivery_count") - 1))["n"] or 0,
        refused=refused or 0,
        reviews_open=open_items["n"],
        oldest_review_at=open_items["oldest"],
    )
