"""Who owns an award, and what follows when it is claimed or lost.

`draws` hands out the prizes of its own draws and those that apps above order from it or award themselves. An
app that wants notices and pages of its own for its awards registers an `AwardSource` in `AppConfig.ready()`; the
machine of awards calls it inside its own transaction. A contest whose winners are drawn by this engine takes
`draws`' own source and replaces what it says and where it leads:

    register_source(replace(source_named("draws.draw"), name="contests.contest", tell_won=…, claim_path=…))

under the name with which it owns its draws (`draws/owners.py`).
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from accounts.models import User
from draws.models import Award


class SourceError(Exception):
    """A source is registered twice, or not at all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Loss:
    """An award that its winner loses: how, why, and out of which pocket its money comes back.

    `asked_as` is the key under which it was asked to take money out of a wallet.
    """

    award: Award
    ending: Award.Ending
    reason: str = ""
    from_wallet: bool = False
    asked_as: str = ""

    @property
    def return_key(self) -> str:
        """The ledger key under which the award's money comes back."""
        return self.asked_as or f"{self.award.key}:returned"


@dataclass(frozen=True, kw_only=True, slots=True)
class AwardSource:
    """What the owner of awards does. Everything is called inside the transaction that changes the award.

    `lock(about, wait)` locks the thing the awards belong to, before any award is locked; False when somebody
    else holds it and `wait` is false. `lose(losses, by, now)` takes the awards' money back and hands their
    prizes on; the awards are locked and of one `about`. `settle(award, now)` follows an award that was claimed
    or paid. `tell_won` and `tell_lost` queue the notices. `origin(award)` and `result_path(award)` say in what it
    was won and where that stands; `claim_path(award)` is the page of a winner with an account,
    `link_path(award, token)` that of a winner without one. `is_passed_on(award)` says of a lost award whether its prize
    went to somebody else.
    """

    name: str
    lock: Callable[[str, bool], bool]
    lose: Callable[[Sequence[Loss], User | None, dt.datetime], None]
    settle: Callable[[Award, dt.datetime], None]
    tell_won: Callable[[Sequence[Award], dt.datetime], None]
    tell_lost: Callable[[Sequence[Loss], dt.datetime], None]
    origin: Callable[[Award], str]
    result_path: Callable[[Award], str]
    claim_path: Callable[[Award], str]
    link_path: Callable[[Award, str], str]
    is_passed_on: Callable[[Award], bool] = lambda award: False


OWN = "draws.draw"
_sources: dict[str, AwardSource] = {}


def register_source(source: AwardSource) -> AwardSource:
    """Make `source` known; returns it. Raises `SourceError` when another has its name."""
    if _sources.setdefault(source.name, source) is not source:
        raise SourceError(f"the award source {source.name} is registered twice")
    return source


def source_named(name: str) -> AwardSource:
    """The source called `name`. Raises `SourceError`."""
    try:
        return _sources[name]
    except KeyError:
        raise SourceError(f"no app registers the award source {name!r}") from None


def source_for(owner: str) -> AwardSource:
    """Whose the awards of a draw are: its owner's, where that keeps its awards itself; else the engine's own."""
    return _sources.get(owner) or source_named(OWN)


def source_of(award: Award) -> AwardSource:
    """Who owns this award. Raises `SourceError`."""
    return source_named(award.source)
