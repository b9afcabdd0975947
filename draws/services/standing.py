"""How an executed draw stands: its report and its dispositions replayed, and new dispositions written.

A vacancy and its promotion are written in one transaction, because a proof in which a slot is vacant while a rank
is left is a wrong proof.
"""

import datetime as dt
from collections.abc import Iterator

from django.db.models import Max

from accounts.models import User
from audit.services import record
from draws.models import Disposition, Draw, Entry, Prize
from draws.services.awarding import Win
from draws.services.errors import DrawError
from draws.services.proving import dispositions_of, rank_rows_of
from draws.slots import Assignment, SlotError, Standing, State
from draws.slots import Disposition as SlotDisposition
from draws.vwd1 import format_time


class StandingError(DrawError):
    """What is stored of the draw does not fit together. Nothing was changed."""


def standing_of(draw: Draw) -> Standing:
    """Who holds which slot now. Raises `StandingError` when the stored dispositions don't fit the report."""
    report = draw.report
    try:
        return Standing.replayed(
            assignments=[
                Assignment(slot["slot"], slot["prize"], slot["rank"]) for slot in report.proof["slots"]
            ],
            ranks=len(report.proof["ranks"]),
            entries=report.manifest["entries"]["count"],
            dispositions=dispositions_of(draw),
        )
    except SlotError as error:
        raise StandingError(f"The stored dispositions of “{draw}” don't fit its report: {error}") from error


class DispositionBook:
    """The dispositions of one draw whose row the caller has locked: read once, written as they are made."""

    def __init__(self, draw: Draw, *, by: User | None, now: dt.datetime) -> None:
        self.draw = draw
        self.standing = standing_of(draw)
        self._by = by
        self._now = now
        last = Disposition.objects.filter(draw=draw).aggregate(last=Max("at"))["last"]
        # Times in a proof never go back, whatever the clocks of the site's machines say.
        self._at = max(filter(None, [now, last])).replace(microsecond=0)
        self._prize_of_slot: dict[int, str] = {
            slot["slot"]: slot["prize"] for slot in draw.report.proof["slots"]
        }

    def write(self, *, rank: int, state: State, reason: str) -> None:
        """Add one disposition. Raises `StandingError`, and writes nothing, when it does not fit."""
        item = SlotDisposition(rank, state, reason, format_time(self._at))
        try:
            self.standing.apply(item)
        except SlotError as error:
            raise StandingError(str(error)) from error
        self._store(item)

    def promote(self) -> list[Win]:
        """Fill every slot that can be filled; returns what was won, in the order in which it was."""
        promoted = list(self._promotions())
        if not promoted:
            return []
        rows = {row["rank"]: row for row in rank_rows_of(self.draw)}
        pids = [bytes.fromhex(rows[rank]["pid"]) for _slot, rank in promoted]
        found = Entry.objects.filter(draw=self.draw, pid__in=pids).select_related("member")
        entries = {entry.pid_hex: entry for entry in found}
        prizes = prizes_by_code(self.draw)
        return [
            Win(
                slot=slot,
                rank=rank,
                ticket=rows[rank]["ticket"],
                entry=entries[rows[rank]["pid"]],
                prize=prizes[self._prize_of_slot[slot]],
            )
            for slot, rank in promoted
        ]

    def _promotions(self) -> Iterator[tuple[int, int]]:
        for item in self.standing.promotions(at=format_time(self._at)):
            self._store(item)
            yield int(item.reason.removeprefix("slot ")), item.rank

    def _store(self, item: SlotDisposition) -> None:
        Disposition.objects.create(
            draw=self.draw, rank=item.rank, state=item.state.value, reason=item.reason, at=self._at
        )
        record(
            actor=self._by,
            action=f"draw.rank_{item.state.value}",
            target=self.draw,
            data={"rank": item.rank, "reason": item.reason, "at": item.at},
            now=self._now,
        )


def prizes_by_code(draw: Draw) -> dict[str, Prize]:
    """The prizes by their id in the manifest."""
    prizes: dict[str, Prize] = {str(prize.code): prize for prize in draw.prizes.all()}
    for prize in prizes.values():
        prize.draw = draw  # the currency of a cash prize is the draw's
    return prizes
