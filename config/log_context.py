"""Who is behind a line of the log: the signed-in person's public id, as far as it is known already.

Asking for it never costs a query: a page that did not look who is there is logged without.
"""

from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any

from django.http import HttpRequest
from django.utils.functional import LazyObject

current_request: ContextVar[HttpRequest | None] = ContextVar("current_request", default=None)


def known_user(request: HttpRequest) -> str:
    """Public id of the person, if somebody has asked for them during this request; else empty."""
    user = request.__dict__.get("user")
    if isinstance(user, LazyObject):
        user = getattr(request, "_cached_user", None)
    return str(getattr(user, "public_id", "") or "")


def add_user(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Processor of structlog: `user` on every line of a request."""
    request = current_request.get()
    if request is not None and "user" not in event and (user := known_user(request)):
        event["user"] = user
    return event
