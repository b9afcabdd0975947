"""Who holds which prize: slots, skipped ranks, vacancies.

Owns the rules of the section "Slots and vacancies" of the `vwd1` specification. Prizes expand, in the
manifest's order, to slots; slot i goes to the first usable rank. A slot that falls vacant goes to the next
unused rank, and no other winner ever moves. Pure: no Django, no clock, no network.

Everything that happens to a rank after the draw is a *disposition*, and the list of them only grows.
`Standing` is that list replayed; the service that changes a winner applies the disposition to it first, and
what it refuses is not done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class SlotError(ValueError):
    """The disposition does not fit what happened before it."""


class State(StrEnum):
    """What a disposition says of its rank."""

    EXCLUDED = "excluded"  # stands as a winner of a draw named in `excludes`: the rank is skipped
    DISQUALIFIED = "disqualified"  # skipped if it held nothing yet, else its slot falls vacant
    DECLINED = "declined"  # the winner said no: the slot falls vacant
    FORFEITED = "forfeited"  # not claimed in time: the slot falls vacant
    PROMOTED = "promoted"  # takes over the vacant slot its reason names, as "slot 3"
    EXTENDED = "extended"  # no winner: from now on there are `rank` ranks in all


@dataclass(frozen=True, slots=True)
class Disposition:
    """One thing that happened to a rank. `at` is RFC 3339 UTC with whole seconds (`vwd1.format_time`)."""

    rank: int
    state: State
    reason: str
    at: str

    def as_json(self) -> dict[str, Any]:
        """The item as it stands in a proof."""
        return {"rank": self.rank, "state": self.state.value, "reason": self.reason, "at": self.at}


@dataclass(frozen=True, slots=True)
class Assignment:
    """A slot, the prize in it, and the rank it went to at execution (None: no usable rank was left)."""

    slot: int
    prize: str
    rank: int | None


def expand_prizes(prizes: Iterable[tuple[str, int]]) -> list[str]:
    """The prize id of every slot, from (id, quantity) in the manifest's order."""
    return [prize for prize, quantity in prizes for _ in range(quantity)]


def ranks_due(*, slots: int, alternates: int, entries: int) -> int:
    """How many ranks a draw has at execution: slots and alternates, or all entries if there are fewer."""
    return min(slots + alternates, entries)


def assign_slots(*, prizes: Sequence[str], ranks: int, skipped: Collection[int]) -> list[Assignment]:
    """Give slot i the first usable rank.

    `prizes` is the prize id of each slot, `ranks` how many ranks were drawn, `skipped` the ranks that are
    excluded or disqualified at execution. Slots for which no rank is left have rank None.
    """
    usable = (rank for rank in range(ranks) if rank not in skipped)
    return [Assignment(slot, prize, next(usable, None)) for slot, prize in enumerate(prizes)]


def execution_dispositions(
    *, excluded: Mapping[int, str], disqualified: Mapping[int, str], at: str
) -> list[Disposition]:
    """The dispositions a draw begins with, ascending by rank: why ranks were skipped.

    `excluded` maps a rank to the id of the draw (one of the manifest's `excludes`) whose standing winner its
    entry is; `disqualified` maps a rank to the reason. A rank in both is excluded.
    """
    reasons = {rank: (State.DISQUALIFIED, reason) for rank, reason in disqualified.items()}
    reasons |= {rank: (State.EXCLUDED, exclusion_reason(draw_id)) for rank, draw_id in excluded.items()}
    return [Disposition(rank, state, reason, at) for rank, (state, reason) in sorted(reasons.items())]


def exclusion_reason(draw_id: str) -> str:
    """The reason of an exclusion: it names the draw in whose proof anyone can look the pid up."""
    return f"winner of draw {draw_id}"


def promotion_reason(slot: int) -> str:
    """The reason of a promotion: which slot the rank takes over."""
    return f"slot {slot}"


class Standing:
    """Slots and ranks of one executed draw, as they stand after some dispositions."""

    def __init__(
        self, *, assignments: Sequence[Assignment], ranks: int, entries: int, skipped: Collection[int]
    ) -> None:
        """As of the execution: `skipped` are the ranks in `execution_dispositions`, already said."""
        self.ranks = ranks
        """How many ranks are drawn by now."""
        self.holders: dict[int, int | None] = {item.slot: item.rank for item in assignments}
        """The rank that holds each slot; None while it is vacant."""
        self._entries = entries
        self._slot_of = {item.rank: item.slot for item in assignments if item.rank is not None}
        self._used = set(self._slot_of)
        self._skipped = set(skipped)
        self._vacant = deque(item.slot for item in assignments if item.rank is None)
        self._next = 0

    @classmethod
    def replayed(
        cls,
        *,
        assignments: Sequence[Assignment],
        ranks: int,
        entries: int,
        dispositions: Sequence[Disposition],
    ) -> Standing:
        """As of now: `assignments` and `ranks` are those of the execution, `dispositions` all there are.

        The list begins with the ranks that were skipped at execution. Raises `SlotError` for a list that does
        not fit.
        """
        holding = {item.rank for item in assignments}
        skipped: set[int] = set()
        for item in dispositions:
            if item.state not in (State.EXCLUDED, State.DISQUALIFIED) or item.rank in holding:
                break
            skipped.add(item.rank)
        standing = cls(assignments=assignments, ranks=ranks, entries=entries, skipped=skipped)
        for item in dispositions[len(skipped) :]:
            standing.apply(item)
        return standing

    @property
    def vacant(self) -> list[int]:
        """The vacant slots, in the order in which they are filled."""
        return list(self._vacant)

    @property
    def can_be_extended(self) -> bool:
        """Whether there are entries that have not been drawn yet."""
        return self.ranks < self._entries

    def next_promotion(self) -> tuple[int, int] | None:
        """The (slot, rank) that must be promoted now, or None if no slot is vacant or no rank is left.

        Slots are filled in the order in which they fell vacant, so nobody chooses who gets which prize.
        """
        if not self._vacant:
            return None
        while self._next in self._used or self._next in self._skipped:
            self._next += 1
        return (self._vacant[0], self._next) if self._next < self.ranks else None

    def apply(self, disposition: Disposition) -> None:
        """Move on by one disposition. Raises `SlotError`, and changes nothing, when it does not fit."""
        rank, state = disposition.rank, disposition.state
        if not disposition.reason and state not in (State.DECLINED, State.FORFEITED):
            raise SlotError(f"rank {rank} is {state} without a reason")
        if state is State.EXTENDED:
            if not self.ranks < rank <= self._entries:
                raise SlotError(
                    f"there are {self.ranks} ranks of {self._entries} entries: cannot be extended to {rank}"
                )
            self.ranks = rank
        elif not 0 <= rank < self.ranks:
            raise SlotError(f"rank {rank} was not drawn")
        elif state is State.PROMOTED:
            self._promote(disposition)
        elif rank in self._slot_of:
            if state is State.EXCLUDED:
                raise SlotError(f"rank {rank} holds a slot and cannot be excluded any more")
            slot = self._slot_of.pop(rank)
            self.holders[slot] = None
            self._vacant.append(slot)
        elif rank in self._used or rank in self._skipped:
            raise SlotError(f"rank {rank} has left the draw already")
        elif state in (State.EXCLUDED, State.DISQUALIFIED):
            self._skipped.add(rank)
        else:
            raise SlotError(f"rank {rank} holds no slot, so it cannot be {state}")

    def promotions(self, *, at: str) -> Iterator[Disposition]:
        """Fill what can be filled: yields each promotion, already applied."""
        while (due := self.next_promotion()) is not None:
            slot, rank = due
            promotion = Disposition(rank, State.PROMOTED, promotion_reason(slot), at)
            self.apply(promotion)
            yield promotion

    def _promote(self, disposition: Disposition) -> None:
        due = self.next_promotion()
        if due is None or (promotion_reason(due[0]), due[1]) != (disposition.reason, disposition.rank):
            raise SlotError(f"rank {disposition.rank} is not next for {disposition.reason}")
        slot, rank = due
        self._vacant.popleft()
        self.holders[slot] = rank
        self._slot_of[rank] = slot
        self._used.add(rank)
