"""Money in figures, for Finance: read by SQL aggregates over 30 days, whatever there is of payments.

Days are those of the reader's zone. What is counted here is what the tables say; that it agrees with the ledger is held by
`check_ledger` and by the tests of this module.
"""

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Count, F, Min, Sum

from payments.models import Refund, ReviewItem, WebhookEvent, Withdrawal

DAYS = 30
REASONS_SHOWN = 8
MEMBERS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Span:
    """The last 30 days up to `last`, whole days of `zone`."""

    last: dt.date
    zone: zoneinfo.ZoneInfo

    @property
    def first(self) -> dt.date:
        """Its first day."""
        return self.last - dt.timedelta(days=DAYS - 1)

    @property
    def days(self) -> list[dt.date]:
        """Each of its days."""
        return [self.first + dt.timedelta(days=number) for number in range(DAYS)]

    @property
    def since(self) -> dt.datetime:
        """The moment it begins."""
        return dt.datetime.combine(self.first, dt.time(), self.zone)

    @property
    def until(self) -> dt.datetime:
        """The moment after it ends."""
        return dt.datetime.combine(self.last + dt.timedelta(days=1), dt.time(), self.zone)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why payments came to nothing. `text` is Paystack's own word, empty for those it told nothing of."""

    status: str
    text: str
    count: int


@dataclass(frozen=True, slots=True)
class EventDay:
    """Events that came on one day: went through, went wrong, not worked on yet; came more than once, and how often too many."""

    good: int = 0
    bad: int = 0
    waiting: int = 0
    repeated: int = 0
    repeats: int = 0

    @property
    def rate(self) -> float | None:
        """Share of what was worked on that went through; None where nothing was."""
        return self.good / (self.good + self.bad) if self.good + self.bad else None


@dataclass(frozen=True, slots=True)
class Open:
    """How many wait, and since when the oldest does."""

    count: int
    oldest_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class WaitingWithdrawals:
    """Withdrawals in one state and currency that are neither paid nor given back; minor units."""

    state: str
    unit: str
    count: int
    amount: int
    oldest_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Spent:
    """What a member has paid in all, less what went back, in minor units: out of the ledger."""

    member_id: int
    unit: str
    total: int


@dataclass(frozen=True, slots=True)
class MoneyFigures:
    """What happened in the span, and what is open now. By day where a day is the key; days and currencies in which nothing was are not in it."""

    lost: Mapping[dt.date, Mapping[str, int]]
    reasons: list[Reason]
    taken: Mapping[str, Mapping[dt.date, int]]
    returned: Mapping[str, Mapping[dt.date, int]]
    reviews: Mapping[str, Open]
    events: Mapping[dt.date, EventDay]
    refused: Mapping[dt.date, int]
    events_waiting: Open
    events_failed: Open
    refunds_in_doubt: Open
    withdrawals: list[WaitingWithdrawals]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (
            self.lost
            or self.taken
            or self.returned
            or self.reviews
            or self.events
            or self.refused
            or self.events_waiting.count
            or self.events_failed.count
            or self.refunds_in_doubt.count
            or self.withdrawals
        )

    @property
    def currencies(self) -> list[str]:
        """Those in which money moved in this time."""
        return sorted({*self.taken, *self.returned})

    @property
    def success_rate(self) -> float | None:
        """Share of all events worked on that went through."""
        good, bad = (sum(getattr(day, name) for day in self.events.values()) for name in ("good", "bad"))
        return good / (good + bad) if good + bad else None


def money_figures(*, span: Span) -> MoneyFigures:
    """Ten queries, each an aggregate over the newest rows of an index, or over what is open."""
    taken, returned = _money(span)
    return MoneyFigures(
        lost=_lost(span),
        reasons=_reasons(span),
        taken=taken,
        returned=returned,
        reviews=_reviews(),
        events=_events(span),
        refused=_refused(span),
        events_waiting=_open(WebhookEvent.objects.filter(try_after__isnull=False), "first_at"),
        events_failed=_open(WebhookEvent.objects.failed(), "first_at"),
        refunds_in_doubt=_open(Refund.objects.in_doubt(), "requested_at"),
        withdrawals=_withdrawals(),
    )


def _rows(sql: str, span: Span | None = None, **more: Any) -> list[tuple[Any, ...]]:
    values: dict[str, Any] = {}
    if span is not None:
        values = {"since": span.since, "until": span.until, "zone": span.zone.key}
    with connection.cursor() as cursor:
        cursor.execute(sql, values | more)
        return list(cursor.fetchall())


def _open(rows: Any, since: str) -> Open:
    found = rows.order_by().aggregate(n=Count("pk"), oldest=Min(since))
    return Open(found["n"], found["oldest"])


def _lost(span: Span) -> dict[dt.date, dict[str, int]]:
    """Payments that came to nothing, by the day they began and how they ended: nothing tells when they failed."""
    found: dict[dt.date, dict[str, int]] = {}
    for day, status, count in _rows(
        """
        SELECT (created_at AT TIME ZONE %(zone)s)::date, status, count(*) FROM payments_payment
        WHERE status IN ('failed', 'abandoned', 'expired') AND created_at >= %(since)s AND created_at < %(until)s
        GROUP BY 1, 2 ORDER BY 1
        """,
        span,
    ):
        found.setdefault(day, {})[status] = count
    return found


def _reasons(span: Span) -> list[Reason]:
    """The most frequent first."""
    rows = _rows(
        """
        SELECT status, CASE status WHEN 'failed' THEN failure ELSE '' END AS reason, count(*) AS n
        FROM payments_payment
        WHERE status IN ('failed', 'abandoned', 'expired') AND created_at >= %(since)s AND created_at < %(until)s
        GROUP BY 1, 2 ORDER BY n DESC, 1, 2 LIMIT %(most)s
        """,
        span,
        most=REASONS_SHOWN,
    )
    return [Reason(*row) for row in rows]


def _money(span: Span) -> tuple[dict[str, dict[dt.date, int]], dict[str, dict[dt.date, int]]]:
    """What was taken and what went back (refunded, or lost in a dispute), by currency and day, as the ledger has it."""
    taken: dict[str, dict[dt.date, int]] = {}
    returned: dict[str, dict[dt.date, int]] = {}
    for day, currency, came, went in _rows(
        """
        SELECT (at AT TIME ZONE %(zone)s)::date, currency, sum(came)::bigint, sum(went)::bigint FROM (
            SELECT settled_at AS at, currency, price AS came, 0 AS went FROM payments_payment
            WHERE settled_at >= %(since)s AND settled_at < %(until)s
            UNION ALL
            SELECT refund.finished_at, payment.currency, 0, refund.amount FROM payments_refund refund
            JOIN payments_payment payment ON payment.id = refund.payment_id
            WHERE refund.state = 'processed' AND refund.finished_at >= %(since)s AND refund.finished_at < %(until)s
            UNION ALL
            SELECT dispute.resolved_at, payment.currency, 0, dispute.amount FROM payments_dispute dispute
            JOIN payments_payment payment ON payment.id = dispute.payment_id
            WHERE dispute.state = 'lost' AND dispute.resolved_at >= %(since)s AND dispute.resolved_at < %(until)s
        ) moved GROUP BY 1, 2 ORDER BY 1
        """,
        span,
    ):
        if came:
            taken.setdefault(currency, {})[day] = came
        if went:
            returned.setdefault(currency, {})[day] = went
    return taken, returned


def _reviews() -> dict[str, Open]:
    """What nobody has resolved, by kind, the kind with the oldest first."""
    rows = (
        ReviewItem.objects.filter(resolved_at=None)
        .order_by()
        .values("kind")
        .annotate(n=Count("pk"), oldest=Min("opened_at"))
        .order_by("oldest", "kind")
    )
    return {row["kind"]: Open(row["n"], row["oldest"]) for row in rows}


def _events(span: Span) -> dict[dt.date, EventDay]:
    rows = _rows(
        """
        SELECT (first_at AT TIME ZONE %(zone)s)::date,
               count(*) FILTER (WHERE state IN ('done', 'ignored')), count(*) FILTER (WHERE state IN ('failed', 'bad')),
               count(*) FILTER (WHERE state = 'received'), count(*) FILTER (WHERE delivery_count > 1),
               sum(delivery_count - 1)::bigint
        FROM payments_webhookevent WHERE first_at >= %(since)s AND first_at < %(until)s GROUP BY 1 ORDER BY 1
        """,
        span,
    )
    return {day: EventDay(*counts) for day, *counts in rows}


def _refused(span: Span) -> dict[dt.date, int]:
    return dict(
        _rows(
            """
            SELECT (hour AT TIME ZONE %(zone)s)::date, sum(count)::bigint FROM payments_webhookrefusal
            WHERE hour >= %(since)s AND hour < %(until)s GROUP BY 1 ORDER BY 1
            """,
            span,
        )
    )


def _withdrawals() -> list[WaitingWithdrawals]:
    rows = (
        Withdrawal.objects.waiting()
        .order_by()
        .values("state", "unit")
        .annotate(n=Count("pk"), total=Sum(F("amount")), oldest=Min("requested_at"))
        .order_by("oldest")
    )
    return [
        WaitingWithdrawals(row["state"], row["unit"], row["n"], row["total"], row["oldest"]) for row in rows
    ]


def most_spent() -> list[Spent]:
    """The members who paid most, in each currency, the most first. One query over all that was ever sold.

    A sale is found by the payment's own entry, and only what went back by what its entry is about.
    """
    rows = _rows(
        """
        WITH sales AS (
            SELECT posting.entry_id, posting.unit, posting.amount FROM payments_account account
            JOIN payments_posting posting ON posting.account_id = account.id
            WHERE account.code LIKE 'revenue:sales:%%'
        ), moved AS (
            SELECT payment.member_id, sales.unit, sales.amount FROM sales
            JOIN payments_payment payment ON payment.entry_id = sales.entry_id
            UNION ALL
            SELECT payment.member_id, sales.unit, sales.amount FROM sales
            JOIN payments_ledgerentry entry ON entry.id = sales.entry_id AND entry.kind <> 'payment.settled'
            JOIN payments_payment payment ON payment.public_id = CASE
                WHEN entry.about LIKE 'payments.payment:%%' THEN substr(entry.about, 18)::uuid END
        )
        SELECT member_id, unit, total FROM (
            SELECT member_id, unit, sum(amount)::bigint AS total, row_number() OVER (
                PARTITION BY unit ORDER BY sum(amount) DESC, member_id
            ) AS place
            FROM moved WHERE member_id IS NOT NULL GROUP BY member_id, unit
        ) ranked WHERE place <= %(most)s AND total > 0 ORDER BY unit, place
        """,
        most=MEMBERS_SHOWN,
    )
    return [Spent(*row) for row in rows]
