"""Occasions after which a sequence of messages may begin: somebody entered a draw, registered for an event, did not come.

The app in which it happens declares the occasion, enrols people when it happens to them, and takes them out when it holds no
longer (`notifications.services.sequences`). Staff write what is said then.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from notifications.kinds import VARIABLE_TYPES

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


class OccasionError(Exception):
    """An occasion is declared wrongly, twice, or not at all."""


@dataclass(frozen=True)
class Occasion:
    """What may happen to somebody: `draws.entered`; `variables` are names and types of what words about it know."""

    name: str
    title: "str | _StrPromise"
    variables: Mapping[str, type] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if wrong := [name for name, of_type in self.variables.items() if of_type not in VARIABLE_TYPES]:
            raise OccasionError(f"{self.name}: {', '.join(wrong)} can't be variables")


_occasions: dict[str, Occasion] = {}


def register(occasion: Occasion) -> Occasion:
    """Make an occasion known. Raises `OccasionError` when another has its name."""
    if _occasions.setdefault(occasion.name, occasion) is not occasion:
        raise OccasionError(f"the occasion {occasion.name} is registered twice")
    return occasion


def get(name: str) -> Occasion:
    """The occasion called `name`. Raises `OccasionError`."""
    try:
        return _occasions[name]
    except KeyError:
        raise OccasionError(
            _("No part of the site knows the occasion “%(name)s” any more.") % {"name": name}
        ) from None


def all_occasions() -> Iterator[Occasion]:
    """Every occasion, by name."""
    return iter([_occasions[name] for name in sorted(_occasions)])


def variables_of(name: str) -> Mapping[str, type]:
    """What words about an occasion know; nothing for none, and for one that is gone."""
    return _occasions[name].variables if name in _occasions else {}
