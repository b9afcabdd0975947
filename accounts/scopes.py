"""What a personal API key may be allowed to do. Each app registers its own scopes in `AppConfig.ready()`.

A scope never gives a right: a key does what its owner may do, as far as its scopes go.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from accounts.models import User

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


@dataclass(frozen=True)
class Scope:
    """One scope. `permission` names the right that staff need for what it opens; empty: every member may."""

    name: str
    title: "str | _StrPromise"
    permission: str = ""

    def is_open_to(self, owner: User) -> bool:
        """Whether this person could use it at all."""
        return not self.permission or (owner.is_staff and owner.has_perm(self.permission))


class ScopeError(ValueError):
    """A scope is registered twice, or asked for and not there."""


_scopes: dict[str, Scope] = {}


def register(scopes: Iterable[Scope]) -> None:
    """Make scopes known. Raises `ScopeError` when another one has the name."""
    for scope in scopes:
        if _scopes.setdefault(scope.name, scope) != scope:
            raise ScopeError(f"the scope {scope.name} is registered twice")


def all_scopes() -> list[Scope]:
    """Every scope, in the order of registration."""
    return list(_scopes.values())


def scopes_for(owner: User) -> list[Scope]:
    """The scopes this person may give to a key."""
    return [scope for scope in _scopes.values() if scope.is_open_to(owner)]
