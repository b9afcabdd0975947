"""What ledger entries are, in words that the person whose money moved understands.

The ledger knows a kind (`prize.paid`) and what an entry is about (`draws.draw:<uuid>`), not what either means. The
app that owns them tells us in its `AppConfig.ready()`: a line for each kind, and for each sort of thing a function
that names many of them in one query.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from payments.models import LedgerEntry


@dataclass(frozen=True, slots=True)
class Subject:
    """The thing an entry is about: `label` as people know it, and the address of its page where there is one."""

    label: str
    url: str = ""


Namer = Callable[[Collection[str]], Mapping[str, Subject]]
"""Takes what stands behind the colon of `about`, many at once; gives those that may be named."""


@dataclass(frozen=True, slots=True)
class Description:
    """An entry in words: what happened, concerning what, and why where a person did it to the wallet by hand."""

    what: str
    subject: Subject | None
    reason: str = ""


_kinds: dict[str, str | Promise] = {
    "prize.paid": _("Prize won"),
    "prize.claimed": _("Prize claimed"),
    "prize.owed": _("Prize kept for its winner"),
    "prize.forfeited": _("Prize forfeited"),
    "prizes.reserved": _("Prizes reserved"),
    "prizes.released": _("Prizes released"),
    "pool.funded": _("Pool funded"),
    "pool.leftover_returned": _("Leftover returned"),
    "wallet.adjusted": _("Adjusted by staff"),
    "wallet.given_up": _("Given up with the account"),
    "prize.taken_back": _("Prize taken back"),
    "payment.settled": _("Credits bought"),
    "refund.held": _("Set aside for a refund"),
    "refund.processed": _("Refunded"),
    "refund.released": _("Refund failed, given back"),
    "withdrawal.held": _("Set aside for a withdrawal"),
    "withdrawal.approved": _("Withdrawal approved"),
    "withdrawal.paid": _("Withdrawal paid"),
    "withdrawal.released": _("Withdrawal given back"),
    "dispute.held": _("Set aside: the payment is disputed"),
    "dispute.released": _("Given back: the dispute is decided"),
    "dispute.lost": _("Taken back by the payer's bank"),
}
_WITH_REASON = frozenset({"wallet.adjusted", "prize.taken_back"})
"""Kinds whose reason was written for the person whose wallet it is; of the others it is the staff's."""
_namers: dict[str, Namer] = {}


def register_kind(kind: str, words: str | Promise) -> None:
    """Say what a kind of entry is called on a statement (lazily translated)."""
    _kinds[kind] = words


def register_subjects(sort: str, namer: Namer) -> None:
    """Say how things of a sort (`draws.draw`) are named."""
    _namers[sort] = namer


def known_kinds() -> list[tuple[str, str]]:
    """Every kind that has words, with them, in their order."""
    return sorted(((kind, str(words)) for kind, words in _kinds.items()), key=lambda known: known[1])


def words_of(kind: str) -> str:
    """What a kind is called; the kind itself, made readable, where nobody has said."""
    return str(_kinds.get(kind) or kind.replace(".", " ").replace("_", " ").capitalize())


def describe(entries: Iterable[LedgerEntry]) -> dict[int, Description]:
    """Descriptions by the entries' ids: one query for each sort of thing, however many entries."""
    entries = list(entries)
    wanted: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        sort, _colon, name = entry.about.partition(":")
        wanted[sort].add(name)
    named = {sort: _namers[sort](names) for sort, names in wanted.items() if sort in _namers}
    described = {}
    for entry in entries:
        sort, _colon, name = entry.about.partition(":")
        reason = entry.reason if entry.kind in _WITH_REASON else ""
        described[entry.pk] = Description(words_of(entry.kind), named.get(sort, {}).get(name), reason)
    return described
