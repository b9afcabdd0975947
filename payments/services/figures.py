"""Figures about buying: what a member has spent, and what Finance and the watch need to see. All from the tables, at once."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

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
