"""Figures of the draws over a span of days: read by SQL aggregates, so that a million entries never leave PostgreSQL.

Each function answers a `Table`: what a page plots and a CSV file holds. Weeks, months and days are those of the
period's zone. Nothing in here names a person, and groups of winners too small to hide in are taken together.
"""

import datetime as dt
import zoneinfo
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils import dateformat
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

LEAST_GROUP = 5
"""Winners in a group that is shown by itself."""
_DRAWS_SHOWN = 20
_NOT_TOLD, _NO_ACCOUNT = "?", "-"


@dataclass(frozen=True, slots=True)
class Period:
    """From the beginning of `first` to the end of `last`, days in `zone`."""

    first: dt.date
    last: dt.date
    zone: zoneinfo.ZoneInfo

    @property
    def since(self) -> dt.datetime:
        """The moment the period begins."""
        return dt.datetime.combine(self.first, dt.time(), self.zone)

    @property
    def until(self) -> dt.datetime:
        """The moment after it ends."""
        return dt.datetime.combine(self.last + dt.timedelta(days=1), dt.time(), self.zone)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns. The first column names the row; the others are whole numbers unless a column says otherwise."""

    columns: tuple[Any, ...]
    rows: list[tuple[Any, ...]]

    def column(self, place: int) -> list[Any]:
        """All values of one column."""
        return [row[place] for row in self.rows]


@dataclass(frozen=True, slots=True)
class Report:
    """One table of the page: its name in addresses, its title, what it says and does not, how it is made."""

    name: str
    title: str | Promise
    note: str | Promise
    table: Callable[[Period], Table]


def _rows(sql: str, period: Period, **more: Any) -> list[tuple[Any, ...]]:
    values = {"since": period.since, "until": period.until, "zone": period.zone.key, **more}
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def draws_by_week(period: Period) -> Table:
    """Draws due, executed and failed, for each week of the period; weeks begin on Monday."""
    rows = _rows(
        """
        WITH due AS (
            SELECT date_trunc('week', draw_at AT TIME ZONE %(zone)s) AS week, count(*) AS n FROM draws_draw
            WHERE draw_at >= %(since)s AND draw_at < %(until)s AND status IN ('active', 'executing', 'completed')
            GROUP BY 1
        ), executed AS (
            SELECT date_trunc('week', executed_at AT TIME ZONE %(zone)s) AS week, count(*) AS n FROM draws_draw
            WHERE executed_at >= %(since)s AND executed_at < %(until)s GROUP BY 1
        ), failed AS (
            SELECT date_trunc('week', at AT TIME ZONE %(zone)s) AS week, count(DISTINCT target) AS n
            FROM audit_record
            WHERE action = 'draw.execution_failed' AND at >= %(since)s AND at < %(until)s GROUP BY 1
        )
        SELECT week::date, coalesce(due.n, 0), coalesce(executed.n, 0), coalesce(failed.n, 0)
        FROM generate_series(
            date_trunc('week', %(since)s AT TIME ZONE %(zone)s),
            (%(until)s AT TIME ZONE %(zone)s) - interval '1 second', interval '7 days'
        ) AS week
        LEFT JOIN due USING (week) LEFT JOIN executed USING (week) LEFT JOIN failed USING (week)
        ORDER BY week
        """,
        period,
    )
    return Table((_("Week from"), _("Due"), _("Executed"), _("Failed at least once")), rows)


def awarded_by_month(period: Period) -> Table:
    """Prizes of draws awarded, by month and unit, in minor units. Empty unit: things.

    What fell back (not claimed, declined, taken back) is not among what was awarded: the next rank has it now.
    """
    rows = _rows(
        """
        SELECT date_trunc('month', created_at AT TIME ZONE %(zone)s)::date, unit,
               count(*) FILTER (WHERE state NOT IN ('expired', 'reversed')),
               coalesce(sum(amount) FILTER (WHERE state NOT IN ('expired', 'reversed')), 0),
               coalesce(sum(amount) FILTER (WHERE state = 'paid'), 0),
               coalesce(sum(amount) FILTER (WHERE state IN ('expired', 'reversed')), 0)
        FROM draws_award
        WHERE created_at >= %(since)s AND created_at < %(until)s AND source = 'draws.draw'
        GROUP BY 1, 2 ORDER BY 1, 2
        """,
        period,
    )
    columns = (_("Month"), _("Unit"), _("Prizes"), _("Awarded"), _("Paid"), _("Fell back"))
    return Table(columns, [(*row[:3], *map(int, row[3:])) for row in rows])


def pool_use(period: Period) -> Table:
    """What moved in the pools of all draws in the period, by unit, in minor units; and what they hold now."""
    rows = _rows(
        """
        WITH held AS (
            SELECT id, unit, split_part(code, ':', 1) AS part, balance FROM payments_account
            WHERE code LIKE 'pool:draw:%%' OR code LIKE 'prizes:draw:%%' OR code LIKE 'owed:draw:%%'
        ), moved AS (
            SELECT held.unit,
                   sum(posting.amount) FILTER (WHERE part = 'pool' AND entry.kind = 'pool.funded') AS funded,
                   sum(posting.amount) FILTER (
                       WHERE part = 'prizes' AND entry.kind IN ('prizes.reserved', 'prizes.released')) AS reserved,
                   -sum(posting.amount) FILTER (
                       WHERE entry.kind IN ('prize.paid', 'prize.claimed', 'prize.taken_back')) AS paid,
                   -sum(posting.amount) FILTER (
                       WHERE part = 'pool' AND entry.kind = 'pool.leftover_returned') AS returned
            FROM held JOIN payments_posting posting ON posting.account_id = held.id
            JOIN payments_ledgerentry entry ON entry.id = posting.entry_id
            WHERE entry.created_at >= %(since)s AND entry.created_at < %(until)s
            GROUP BY held.unit
        ), now AS (
            SELECT unit, sum(balance) FILTER (WHERE part = 'pool') AS free,
                   sum(balance) FILTER (WHERE part = 'prizes') AS reserved,
                   sum(balance) FILTER (WHERE part = 'owed') AS owed
            FROM held GROUP BY unit
        )
        SELECT now.unit, coalesce(moved.funded, 0), coalesce(moved.reserved, 0), coalesce(moved.paid, 0),
               coalesce(moved.returned, 0), coalesce(now.free, 0), coalesce(now.reserved, 0), coalesce(now.owed, 0)
        FROM now LEFT JOIN moved USING (unit) ORDER BY now.unit
        """,
        period,
    )
    columns = (
        _("Unit"),
        _("Funded"),
        _("Reserved for prizes"),
        _("Paid"),
        _("Returned"),
        _("Free now"),
        _("Reserved now"),
        _("Owed now"),
    )
    return Table(columns, [(row[0], *map(int, row[1:])) for row in rows])


def entries_per_day(period: Period, *, draw_id: int | None = None) -> Table:
    """Entries and their tickets by day; of one draw, or of all that took entries in the period."""
    rows = _rows(
        """
        WITH taken AS (
            SELECT date_trunc('day', entered_at AT TIME ZONE %(zone)s) AS day, count(*) AS n, sum(weight) AS tickets
            FROM draws_entry
            WHERE entered_at >= %(since)s AND entered_at < %(until)s AND draw_id = ANY(ARRAY(
                SELECT id FROM draws_draw WHERE published_at IS NOT NULL
                AND opens_at < %(until)s AND closes_at >= %(since)s AND (%(draw)s::bigint IS NULL OR id = %(draw)s)
            ))
            GROUP BY 1
        )
        SELECT day::date, coalesce(n, 0), coalesce(tickets, 0)
        FROM generate_series(
            %(since)s AT TIME ZONE %(zone)s, (%(until)s AT TIME ZONE %(zone)s) - interval '1 second',
            interval '1 day'
        ) AS day LEFT JOIN taken USING (day) ORDER BY day
        """,
        period,
        draw=draw_id,
    )
    return Table((_("Day"), _("Entries"), _("Tickets")), [(day, n, int(tickets)) for day, n, tickets in rows])


def entries_per_hour(period: Period, *, draw_id: int) -> Table:
    """Entries of one draw by hour, on the clock of the period's zone. The night of a change has its real hours."""
    rows = _rows(
        """
        WITH taken AS (
            SELECT date_trunc('hour', entered_at) AS hour, count(*) AS n FROM draws_entry
            WHERE draw_id = %(draw)s AND entered_at >= %(since)s AND entered_at < %(until)s GROUP BY 1
        )
        SELECT hour, coalesce(n, 0)
        FROM generate_series(date_trunc('hour', %(since)s), %(until)s - interval '1 second', interval '1 hour') AS hour
        LEFT JOIN taken USING (hour) ORDER BY hour
        """,
        period,
        draw=draw_id,
    )
    return Table((_("Hour"), _("Entries")), [(hour.astimezone(period.zone), n) for hour, n in rows])


def entries_per_draw(period: Period) -> Table:
    """The draws that took entries in the period, those with most entries first; all their entries are counted."""
    rows = _rows(
        """
        SELECT draw.title, draw.opens_at AT TIME ZONE %(zone)s,
               coalesce(draw.entries_count, (SELECT count(*) FROM draws_entry WHERE draw_id = draw.id)) AS n
        FROM draws_draw draw
        WHERE draw.published_at IS NOT NULL AND draw.opens_at < %(until)s AND draw.closes_at >= %(since)s
        ORDER BY n DESC, draw.id LIMIT %(most)s
        """,
        period,
        most=_DRAWS_SHOWN,
    )
    return Table((_("Draw"), _("Opened"), _("Entries")), [(t, at.date(), n) for t, at, n in rows])


def winners_by_country(period: Period) -> Table:
    """Standing winners of draws executed in the period, by the country their account tells (ISO 3166)."""
    found = _winners(period, "CASE WHEN member.country = '' THEN '?' ELSE upper(member.country) END")
    return Table((_("Country"), _("Winners")), _readable(found, order=_by_size))


def winners_by_age(period: Period) -> Table:
    """Standing winners of draws executed in the period, by their age on the day of the draw, as the account tells it."""
    found = _winners(
        period,
        """
        CASE WHEN member.birth_date IS NULL THEN '?'
             ELSE (ARRAY['0–17', '18–24', '25–34', '35–44', '45–54', '55–64', '65+'])[1 + width_bucket(
                 extract(year FROM age(draw.executed_at AT TIME ZONE %(zone)s, member.birth_date))::int,
                 ARRAY[18, 25, 35, 45, 55, 65])] END
        """,
    )
    return Table((_("Age"), _("Winners")), _readable(found, order=_by_name))


def _winners(period: Period, group: str) -> list[tuple[str, int]]:
    rows = _rows(
        f"""
        SELECT CASE WHEN member.id IS NULL THEN '-' ELSE {group} END, count(*)
        FROM draws_winner winner
        JOIN draws_draw draw ON draw.id = winner.draw_id
        JOIN draws_entry entry ON entry.id = winner.entry_id
        JOIN draws_award award ON award.id = winner.award_id
        LEFT JOIN accounts_user member ON member.id = coalesce(entry.member_id, award.member_id)
        WHERE draw.executed_at >= %(since)s AND draw.executed_at < %(until)s
          AND winner.state IN ('drawn', 'notified', 'claimed', 'paid')
        GROUP BY 1
        """,
        period,
    )
    return [(str(name), int(count)) for name, count in rows]


def merged(
    groups: Sequence[tuple[str, int]], *, least: int = LEAST_GROUP
) -> tuple[list[tuple[str, int]], int]:
    """The groups of at least `least`, and how many people are in the others taken together.

    What is taken together must not be small itself: then the smallest of the groups that are large enough joins
    it, else a sum over all would give it away.
    """
    shown = sorted(groups, key=lambda group: (group[1], group[0]))
    others = 0
    while shown and (shown[0][1] < least or 0 < others < least):
        others += shown.pop(0)[1]
    return shown, others


def _by_size(groups: list[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(groups, key=lambda group: (-group[1], group[0]))


def _by_name(groups: list[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(groups)


def _readable(
    groups: list[tuple[str, int]], *, order: Callable[[list[tuple[str, int]]], list[tuple[str, int]]]
) -> list[tuple[Any, ...]]:
    """Told groups in order, then the small ones together, then those who told nothing and those without an account."""
    told = [group for group in groups if group[0] not in (_NOT_TOLD, _NO_ACCOUNT)]
    silent = dict(group for group in groups if group[0] in (_NOT_TOLD, _NO_ACCOUNT))
    shown, others = merged(told)
    rows: list[tuple[Any, ...]] = list(order(shown))
    if others:
        rows.append((_("Groups under %(n)d, together") % {"n": LEAST_GROUP}, others))
    if silent.get(_NOT_TOLD):
        rows.append((_("Not told"), silent[_NOT_TOLD]))
    if silent.get(_NO_ACCOUNT):
        rows.append((_("No account"), silent[_NO_ACCOUNT]))
    return rows


def claims(period: Period) -> Table:
    """Prizes of draws awarded in the period, by kind: what was paid at once, and how the others were claimed.

    The rate is of those whose time is over or who have claimed; times are seconds from the award to the claim.
    """
    rows = _rows(
        """
        SELECT kind, count(*), count(*) FILTER (WHERE at_once),
               count(*) FILTER (WHERE taken), count(*) FILTER (WHERE state IN ('claimable', 'allocated')),
               count(*) FILTER (WHERE ended_as = 'forfeited'), count(*) FILTER (WHERE ended_as = 'declined'),
               count(*) FILTER (WHERE taken)::float8
                   / nullif(count(*) FILTER (WHERE taken OR ended_as = 'forfeited'), 0),
               percentile_cont(0.5) WITHIN GROUP (ORDER BY waited) FILTER (WHERE taken),
               percentile_cont(0.95) WITHIN GROUP (ORDER BY waited) FILTER (WHERE taken)
        FROM (
            SELECT kind, state, ended_as, state = 'paid' AND claimed_at IS NULL AS at_once,
                   claimed_at IS NOT NULL AS taken,
                   extract(epoch FROM claimed_at - created_at)::float8 AS waited
            FROM draws_award
            WHERE created_at >= %(since)s AND created_at < %(until)s AND source = 'draws.draw'
        ) award GROUP BY kind ORDER BY kind
        """,
        period,
    )
    columns = (
        _("Kind"),
        _("Awarded"),
        _("Paid at once"),
        _("Claimed"),
        _("Waiting"),
        _("Not claimed in time"),
        _("Declined"),
        _("Claim rate"),
        _("Median time (s)"),
        _("95 % within (s)"),
    )
    return Table(columns, rows)


def lateness(period: Period) -> Table:
    """By how many seconds executions in the period came after their draw time; early by hand counts as 0."""
    rows = _rows(
        """
        SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY late),
               percentile_cont(0.95) WITHIN GROUP (ORDER BY late), max(late)
        FROM (
            SELECT greatest(extract(epoch FROM executed_at - draw_at), 0)::float8 AS late FROM draws_draw
            WHERE executed_at >= %(since)s AND executed_at < %(until)s
        ) draw
        """,
        period,
    )
    columns = (_("Executions"), _("Median (s)"), _("95 % within (s)"), _("Worst (s)"))
    return Table(columns, rows)


def lateness_spread(period: Period) -> Table:
    """How many executions were how late."""
    names = (_("1 s"), _("10 s"), _("1 min"), _("5 min"), _("1 h"), _("more"))
    found = dict(
        _rows(
            """
            SELECT width_bucket(extract(epoch FROM executed_at - draw_at)::float8,
                                ARRAY[1, 10, 60, 300, 3600]::float8[]), count(*)
            FROM draws_draw WHERE executed_at >= %(since)s AND executed_at < %(until)s GROUP BY 1
            """,
            period,
        )
    )
    return Table(
        (_("Late by up to"), _("Executions")), [(name, found.get(at, 0)) for at, name in enumerate(names)]
    )


def day_label(day: dt.date) -> str:
    """`3 Nov`, as it stands beneath a plot."""
    return dateformat.format(day, "j M")


REPORTS = (
    Report(
        "draws-by-week",
        gettext_lazy("Draws by week"),
        gettext_lazy(
            "Due: not cancelled or void. Failed: a draw counts once a week, however often it was tried."
        ),
        draws_by_week,
    ),
    Report("entries-per-day", gettext_lazy("Entries by day"), "", entries_per_day),
    Report(
        "entries-per-draw",
        gettext_lazy("Entries by draw"),
        gettext_lazy("Draws that took entries in this time, with all of their entries; the 20 largest."),
        entries_per_draw,
    ),
    Report("awarded-by-month", gettext_lazy("Awarded by month and unit"), "", awarded_by_month),
    Report(
        "pool-use",
        gettext_lazy("Use of the pools"),
        gettext_lazy(
            "What moved in this time, and what all draws’ pools hold now. Reserved is less what was released."
        ),
        pool_use,
    ),
    Report(
        "winners-by-country",
        gettext_lazy("Winners by country"),
        gettext_lazy(
            "As told in their accounts. Groups under 5 are taken together, so that nobody can be picked out."
        ),
        winners_by_country,
    ),
    Report(
        "winners-by-age",
        gettext_lazy("Winners by age"),
        gettext_lazy(
            "Of members who told their birth date, on the day of the draw. Groups under 5 are taken together."
        ),
        winners_by_age,
    ),
    Report(
        "claims",
        gettext_lazy("Claims"),
        gettext_lazy(
            "The rate is of prizes that were claimed or whose time is over; waiting ones are in neither."
        ),
        claims,
    ),
    Report("lateness", gettext_lazy("Lateness of executions"), "", lateness),
    Report("lateness-spread", gettext_lazy("Executions by lateness"), "", lateness_spread),
)
"""Every table, in the order of the page."""
