"""Walks the whole chain of seals beside the records, in one pass and little memory, and says what is wrong.

What it can't see from the database alone is a chain that was cut at its end, or written anew from some point on
by somebody who may switch off triggers. Against that stand the digests others hold: the site shows the newest
seal to everyone and every proof carries one, and `known_digests` asks for each whether it is still in the chain.
"""

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from django.db import models
from django.utils.translation import gettext_lazy as _

from audit import chain
from audit.merkle import merkle_root
from audit.models import Record, Seal

GRACE = dt.timedelta(minutes=10)
"""A record may be this old before it is a fault that no seal covers it."""

MOST_FAULTS = 1_000
"""Faults described in a report; further ones are only counted."""

_SEALS_AT_ONCE = 1_000
_RECORDS_AT_ONCE = 5_000


class Kind(models.TextChoices):
    """What may be wrong with the trail."""

    SEAL_CHANGED = "seal_changed", _("changed after it was made")
    SEAL_MISSING = "seal_missing", _("missing from the chain")
    CHAIN_BROKEN = "chain_broken", _("does not continue the seal before it")
    RECORDS_CHANGED = "records_changed", _("changed after it was sealed")
    RECORD_MISSING = "record_missing", _("missing, though sealed")
    UNSEALED = "unsealed", _("under no seal that holds")
    DIGEST_UNKNOWN = "digest_unknown", _("given out once, and not in the chain")


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong; `about` names it: `seal 12`, `record 40–57`, a digest."""

    kind: Kind
    about: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.about}: {self.kind.label}" + (f" ({self.detail})" if self.detail else "")


@dataclass
class Report:
    """What a walk saw."""

    seals: int = 0
    records: int = 0
    """Records found under a seal, whether or not they still fit it."""
    waiting: int = 0
    """Records that no seal covers yet, and that are young enough for that."""
    newest_digest: str = ""
    faults: list[Fault] = field(default_factory=list)
    """The first `MOST_FAULTS`."""
    faults_found: int = 0

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return self.faults_found == 0

    def add(self, kind: Kind, about: str, detail: str = "") -> None:
        """Note a fault."""
        self.faults_found += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(kind, about, detail))


def verify_audit(*, now: dt.datetime, known_digests: Collection[str] = ()) -> Report:
    """Check every seal's digest, place in the chain and Merkle root, and that each record is under one seal.

    `known_digests` are digests of seals that were seen earlier, in a proof or on a page. Reads only, and may run
    beside writers and the sealer. Memory does not grow with the trail.
    """
    walk = _Walk()
    unknown = set(known_digests)
    while seals := list(Seal.objects.filter(pk__gt=walk.number).order_by("pk")[:_SEALS_AT_ONCE]):
        walk.over(seals)
        unknown.difference_update(seal.digest for seal in seals)
    walk.over_rest(before=now - GRACE)
    for digest in sorted(unknown):
        walk.report.add(Kind.DIGEST_UNKNOWN, f"digest {digest}")
    return walk.report


class _Walk:
    """One pass: seals in order of number, beside them the records in order of id."""

    def __init__(self) -> None:
        self.report = Report()
        self.number = 0  # of the last seal walked over
        self.digest = chain.GENESIS  # its digest
        self.last_id = 0  # end of the range of the last seal whose digest fits
        self.is_whole = True  # no seal since that one was missing or changed
        self.in_gaps: dict[int, bytes] = {}  # leaves that stand in gaps of seals and wait for a later seal

    def over(self, seals: Sequence[Seal]) -> None:
        """Check the next seals of the chain and the records they cover."""
        # Read after the seals, because what a seal covers was committed before it.
        records = _Records(self.last_id, max(seal.last_id for seal in seals))
        for seal in seals:
            if seal.pk != self.number + 1:
                self.report.add(Kind.SEAL_MISSING, f"seal {chain.text_of([[self.number + 1, seal.pk - 1]])}")
                self.is_whole = False
            if seal.fits_digest():
                self._check_place(seal)
                overlaps = seal.first_id <= self.last_id
                self._check_records(seal, _Records(seal.first_id - 1, seal.last_id) if overlaps else records)
                self.last_id, self.is_whole = seal.last_id, True
            else:
                self.report.add(Kind.SEAL_CHANGED, f"seal {seal.pk}", "its digest does not fit what it says")
                self.is_whole = False
            self.number, self.digest = seal.pk, seal.digest
            self.report.seals += 1
            self.report.newest_digest = seal.digest

    def over_rest(self, *, before: dt.datetime) -> None:
        """Find records that no seal covers; those from `before` on may still be waiting for theirs."""
        rest = Record.objects.filter(pk__gt=self.last_id)
        in_gaps = Record.objects.filter(pk__in=self.in_gaps, at__lt=before)
        loose = chain.spans_of(in_gaps.ids()) + chain.spans_of(rest.filter(at__lt=before).ids())
        if loose:  # newer seals are looked at afterwards: what they cover was sealed while we walked
            for seal in Seal.objects.filter(pk__gt=self.number):
                loose = chain.without(chain.without(loose, seal.covered()), seal.late)
        for span in loose:
            self.report.add(Kind.UNSEALED, f"record {chain.text_of([span])}")
        self.report.waiting = rest.filter(at__gte=before).count()

    def _check_place(self, seal: Seal) -> None:
        about = f"seal {seal.pk}"
        if seal.pk == self.number + 1 and seal.previous != self.digest:
            there, here = seal.previous[:12], self.digest[:12]
            self.report.add(Kind.CHAIN_BROKEN, about, f"it continues {there}…, not {here}…")
        elif self.is_whole and seal.first_id != self.last_id + 1:
            detail = f"it starts at record {seal.first_id}, not {self.last_id + 1}"
            self.report.add(Kind.CHAIN_BROKEN, about, detail)

    def _check_records(self, seal: Seal, records: "_Records") -> None:
        present = dict(records.take(seal.first_id, seal.last_id))
        for pk in chain.ids_in(chain.without(chain.spans_of(present), seal.covered())):
            self.in_gaps[pk] = present.pop(pk)
        late = self._late_leaves(seal)
        self.report.records += len(late) + len(present)

        absent = chain.without(seal.late, chain.spans_of(late))
        absent += chain.without(seal.covered(), chain.spans_of(present))
        if absent:
            self.report.add(Kind.RECORD_MISSING, f"record {chain.text_of(absent)}", f"under seal {seal.pk}")
            return
        root = merkle_root([*late.values(), *present.values()])
        if root.hex() != seal.merkle_root or len(late) + len(present) != seal.count:
            held = chain.text_of(seal.late + seal.covered())
            self.report.add(
                Kind.RECORDS_CHANGED, f"record {held}", f"under seal {seal.pk}; at least one of them"
            )

    def _late_leaves(self, seal: Seal) -> dict[int, bytes]:
        """Leaves of the seal's late records, as far as these exist, in order of id."""
        if not seal.late:
            return {}
        found = {pk: self.in_gaps.pop(pk) for pk in list(self.in_gaps) if chain.holds(seal.late, pk)}
        # Those that came after we had passed their gap, or whose own seal is gone.
        unseen = chain.without(seal.late, chain.spans_of(sorted(found)))
        found.update(Record.objects.filter(pk__in=Record.objects.ids_in(unseen, limit=seal.count)).leaves())
        return dict(sorted(found.items()))


class _Records:
    """Leaves in order of id, from behind `after` to `last`, read a batch at a time."""

    def __init__(self, after: int, last: int) -> None:
        self._source = self._read(after, last)
        self._next = next(self._source, None)

    def take(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        """Id and leaf of those from `first` to `last`; passes over what comes before."""
        while self._next is not None and self._next[0] <= last:
            if self._next[0] >= first:
                yield self._next
            self._next = next(self._source, None)

    @staticmethod
    def _read(after: int, last: int) -> Iterator[tuple[int, bytes]]:
        wanted = Record.objects.filter(pk__lte=last).order_by("pk")
        while batch := list(wanted.filter(pk__gt=after)[:_RECORDS_AT_ONCE].leaves()):
            yield from batch
            after = batch[-1][0]
