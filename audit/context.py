"""Where the current action comes from, carried beside the call so that services need not pass it on."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """One request: its id, the client's address and browser."""

    request_id: str
    address: str | None
    user_agent: str


origin: ContextVar[Origin | None] = ContextVar("audit_origin", default=None)
