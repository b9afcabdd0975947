"""What Mailgun's events say, in our own words: of its events API and of its webhooks, which have the same shape."""

import datetime as dt
import email.utils
import re
from collections.abc import Mapping, Sequence
from typing import Any

from notifications.channels.refusals import says_nobody_is_there
from notifications.channels.seam import TEXT_LIMIT, Found, Happened

KEY_VARIABLE = "delivery"
"""The user variable that carries our key of a letter."""
_KEY = re.compile(r"[0-9a-f]{32}")
_PLAIN = {
    "accepted": Happened.ACCEPTED,
    "rejected": Happened.FAILED,
    "delivered": Happened.DELIVERED,
    "complained": Happened.COMPLAINED,
    "unsubscribed": Happened.UNSUBSCRIBED,
    "opened": Happened.OPENED,
    "clicked": Happened.CLICKED,
}
# Mailgun's own list, met again: it does not even try.
_BEFORE = {"suppress-bounce": Happened.BOUNCED, "suppress-complaint": Happened.COMPLAINED}
# Of several events of one letter the last of these stands.
_WEIGHT = (
    Happened.ACCEPTED,
    Happened.DEFERRED,
    Happened.FAILED,
    Happened.DELIVERED,
    Happened.BOUNCED,
    Happened.COMPLAINED,
)


def happened_in(event: Mapping[str, Any]) -> Happened | None:
    """What an event means; None for one that means nothing to us (`stored`, lists, …)."""
    name = event.get("event")
    if name != "failed":
        return _PLAIN.get(name) if isinstance(name, str) else None
    if event.get("severity") == "temporary":
        return Happened.DEFERRED
    if before := _BEFORE.get(str(event.get("reason"))):
        return before
    status = _status_of(event)
    hard = says_nobody_is_there(
        _code_of(status), f"{status.get('enhanced-code') or ''} {status.get('message') or ''}"
    )
    return Happened.BOUNCED if hard else Happened.FAILED


def key_of(event: Mapping[str, Any]) -> str:
    """Our key of the letter it is about: from its variable, else from the Message-ID; '' for a mail that is no letter."""
    variables = event.get("user-variables")
    told = variables.get(KEY_VARIABLE) if isinstance(variables, dict) else None
    if isinstance(told, str) and _KEY.fullmatch(told):
        return told
    local = message_id_of(event).strip("<>").partition("@")[0]
    return local if _KEY.fullmatch(local) else ""


def message_id_of(event: Mapping[str, Any]) -> str:
    """The Message-ID of the mail, '' without one."""
    message = event.get("message")
    heads = message.get("headers") if isinstance(message, dict) else None
    return str(heads.get("message-id") or "") if isinstance(heads, dict) else ""


def code_and_text(event: Mapping[str, Any]) -> tuple[str, str]:
    """What the other side said, or what Mailgun says of it."""
    status = _status_of(event)
    reject = event.get("reject")
    said = status.get("message") or status.get("description") or event.get("reason") or ""
    if isinstance(reject, dict):
        said = reject.get("reason") or said
    return str(status.get("code") or "")[:32], str(said).replace("\0", "")[:TEXT_LIMIT]


def best_of(events: Sequence[Mapping[str, Any]]) -> Found | None:
    """What became of one letter, of which these are all events."""
    told = [(_WEIGHT.index(what), event) for event in events if (what := happened_in(event)) in _WEIGHT]
    if not told:
        # Opened or clicked, without the rest: it is there.
        return Found(Happened.DELIVERED) if any(happened_in(event) for event in events) else None
    weight, event = max(told, key=lambda pair: pair[0])
    code, text = code_and_text(event)
    return Found(_WEIGHT[weight], message_id_of(event), code, text)


def seconds(retry_after: str) -> float | None:
    """A Retry-After in seconds, of at most a day; a date in it counts from now."""
    try:
        wait = float(retry_after)
    except ValueError:
        try:
            at = email.utils.parsedate_to_datetime(retry_after)
        except (ValueError, OverflowError):
            return None
        wait = (at - dt.datetime.now(at.tzinfo)).total_seconds()
    return min(max(wait, 0.0), 86_400.0) if wait == wait else None  # not NaN


def _status_of(event: Mapping[str, Any]) -> Mapping[str, Any]:
    status = event.get("delivery-status")
    return status if isinstance(status, dict) else {}


def _code_of(status: Mapping[str, Any]) -> int:
    code = status.get("code")
    return code if isinstance(code, int) else 0
