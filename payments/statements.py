"""A member's statement: the postings of one of their wallets, newest first, page by page or as CSV."""

import csv
import datetime as dt
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import User
from notifications.csv_cells import defused
from payments.accounts import member_code
from payments.models import Account, Posting
from payments.money import plain_amount
from payments.subjects import Description, describe, words_of

LINES_A_PAGE = 25
_ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a statement."""

    posting: Posting
    description: Description


@dataclass(frozen=True, slots=True)
class StatementPage:
    """Some lines, newest first, and the versions to ask for next: `older` before it, `newer` after it."""

    lines: list[Line]
    older: int | None = None
    newer: int | None = None


def postings_of(
    wallet: Account, *, first: dt.date | None, last: dt.date | None, kind: str = ""
) -> QuerySet[Posting]:
    """Postings from the beginning of `first` to the end of `last`, days as they are in the current time zone.

    Of one kind of entry, where `kind` names one.
    """
    postings = Posting.objects.filter(account=wallet).select_related("entry")
    if kind:
        postings = postings.filter(entry__kind=kind)
    if first is not None:
        postings = postings.filter(entry__created_at__gte=_midnight(first))
    if last is not None and last < dt.date.max:
        postings = postings.filter(entry__created_at__lt=_midnight(last + dt.timedelta(days=1)))
    return postings


def kinds_in(wallet: Account) -> list[tuple[str, str]]:
    """The kinds of entry that there are in a wallet, with what they are called, in the order of that."""
    kinds = Posting.objects.filter(account=wallet).order_by().values_list("entry__kind", flat=True).distinct()
    return sorted(((kind, words_of(kind)) for kind in kinds), key=lambda known: known[1])


def statement_page(
    postings: QuerySet[Posting], *, before: int | None = None, after: int | None = None
) -> StatementPage:
    """The newest lines, or those next to the version `before` or `after` which was asked for.

    By version, which is unique and has an index, so that page 1,000 costs what page 1 does.
    """
    if after is not None:
        rows = list(postings.filter(version__gt=after).order_by("version")[: LINES_A_PAGE + 1])
        has_newer, has_older = len(rows) > LINES_A_PAGE, True
        rows = rows[:LINES_A_PAGE][::-1]
    else:
        older = postings if before is None else postings.filter(version__lt=before)
        rows = list(older.order_by("-version")[: LINES_A_PAGE + 1])
        has_newer, has_older = before is not None, len(rows) > LINES_A_PAGE
        rows = rows[:LINES_A_PAGE]
    return StatementPage(
        lines=_lines(rows),
        older=rows[-1].version if rows and has_older else None,
        newer=rows[0].version if rows and has_newer else None,
    )


def receipt_lines(user: User, public_id: Any) -> list[Line]:
    """The legs of an entry in the person's own wallets; none for an entry that is not theirs."""
    mine = Posting.objects.filter(
        entry__public_id=public_id, account__owner=user, account__code__startswith=member_code(user.pk, "")
    )
    return _lines(list(mine.select_related("entry", "account").order_by("position")))


def statement_csv(postings: QuerySet[Posting]) -> Iterator[str]:
    """The statement as CSV, oldest first, in pieces: it is never whole in memory.

    It begins with a byte order mark, by which spreadsheets know UTF-8. It is read after the request's middleware
    is done, so the language and the time zone are those of the moment of the call.
    """
    return _csv(postings, timezone.get_current_timezone(), translation.get_language() or "en")


def _csv(postings: QuerySet[Posting], zone: dt.tzinfo, language: str) -> Iterator[str]:
    writer = csv.writer(_Echo())
    with translation.override(language):
        header = [
            _("Time"),
            _("What"),
            _("About"),
            _("Amount"),
            _("Balance"),
            _("Unit"),
            _("Receipt"),
            _("Reason"),
        ]
    yield "\ufeff" + str(writer.writerow(header))
    rows = postings.order_by("version").iterator(chunk_size=_ROWS_AT_ONCE)
    while chunk := list(itertools.islice(rows, _ROWS_AT_ONCE)):
        with translation.override(language):
            text = "".join(str(writer.writerow(_cells(line, zone))) for line in _lines(chunk))
        yield text


def _cells(line: Line, zone: dt.tzinfo) -> list[str]:
    posting, subject = line.posting, line.description.subject
    assert posting.balance_after is not None  # wallets keep a balance
    return [
        posting.entry.created_at.astimezone(zone).isoformat(sep=" ", timespec="seconds"),
        defused(line.description.what),
        defused(subject.label if subject else ""),
        plain_amount(posting.amount, posting.unit),
        plain_amount(posting.balance_after, posting.unit),
        posting.unit,
        str(posting.entry.public_id),
        defused(line.description.reason),
    ]


def _lines(postings: list[Posting]) -> list[Line]:
    described = describe(posting.entry for posting in postings)
    return [Line(posting, described[posting.entry_id]) for posting in postings]


def _midnight(day: dt.date) -> dt.datetime:
    """The first moment of a day in the current zone; where midnight is skipped by a clock change, the one after."""
    return dt.datetime.combine(day, dt.time(), timezone.get_current_timezone())


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text
