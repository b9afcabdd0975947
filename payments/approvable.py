"""Acts that may need a second person: what one says, and the kinds that apps register.

An app that owns such acts registers an `ApprovableKind` in `AppConfig.ready()`. It brings along who may do
it, which accounts it moves, and the function that does it. `payments.approvals` calls that function, at once or
after a second person has agreed.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise

from accounts.models import User
from audit.canonical import canonical_json
from payments.models import LedgerEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyAct:
    """One act with money, complete: whoever agrees to it agrees to just this.

    `amounts` are what the limits are held against: unit to minor units above zero. `params` is what the kind's
    function works with; strings, integers, lists and dicts only. `idem_key` becomes the key of its ledger entry.
    """

    kind: str
    amounts: Mapping[str, int]
    params: Mapping[str, Any]
    about: str
    reason: str
    idem_key: str

    def digest(self, *, by: User) -> bytes:
        """SHA-256 of the canonical JSON of everything that is asked, and of who asks."""
        content = {
            "kind": self.kind,
            "amounts": dict(self.amounts),
            "params": dict(self.params),
            "about": self.about,
            "reason": self.reason,
            "idem_key": self.idem_key,
            "by": str(by.public_id),
        }
        return hashlib.sha256(canonical_json(content)).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatures:
    """Who stands behind an act: who asked for it, and who agreed (None: it was small enough for one)."""

    by: User
    approved_by: User | None = None


Doer = Callable[[MoneyAct, Signatures, dt.datetime], LedgerEntry | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovableKind:
    """A kind of act with money; or, where `always_two`, one that takes two people whatever it moves.

    `permission` is needed by whoever does it, and by whoever agrees to it. `names` says what staff call the things that
    acts are about, many at once. `moves` says what its ledger entry will
    hold: code of account to signed minor units; the entry is compared with it. `do` runs inside the caller's
    transaction, takes the rows it needs, checks again what must hold, and posts one entry under the
    act's key. Where `always_two`, acts name no amounts, `moves` is empty, and `do` returns None. `why_not` is a sentence if it makes no sense as things stand, without locking anything. `refusals` are
    the errors whose message is a sentence for people.
    """

    name: str
    words: str | Promise
    permission: str
    names: Callable[[Collection[str]], Mapping[str, str]]
    moves: Callable[[MoneyAct], Mapping[str, int]]
    do: Doer
    why_not: Callable[[MoneyAct], str] = lambda act: ""
    refusals: tuple[type[Exception], ...] = ()
    always_two: bool = False


class UnknownKindError(LookupError):
    """No app registers this kind of act."""


_kinds: dict[str, ApprovableKind] = {}


def register_approvable(kind: ApprovableKind) -> None:
    """Make `kind` known. Raises ValueError when another kind has its name."""
    if _kinds.setdefault(kind.name, kind) is not kind:
        raise ValueError(f"the kind of act {kind.name} is registered twice")


def approvable(name: str) -> ApprovableKind:
    """The kind called `name`. Raises `UnknownKindError`."""
    try:
        return _kinds[name]
    except KeyError:
        raise UnknownKindError(f"no app registers acts of the kind {name!r}") from None


def known_acts() -> list[tuple[str, str]]:
    """Name and words of every kind, in the order of the words."""
    return sorted(((kind.name, str(kind.words)) for kind in _kinds.values()), key=lambda known: known[1])
