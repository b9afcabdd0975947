"""Values of a kind's variables: checked on the way in, stored as JSON, typed again on the way out."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

LIMIT = 131_072  # bytes of one message's values, or of one person's: they are read again at every rendering


class ContextError(ValueError):
    """A message's context doesn't fit its kind; the text says which variable and why."""


def encode(values: Mapping[str, Any], types: Mapping[str, type]) -> dict[str, Any]:
    """`values` as JSON types: exactly the names of `types`, each of its type, times aware. Raises `ContextError`, also for
    more than `LIMIT` bytes of them."""
    if unknown := sorted(set(values) - set(types)):
        raise ContextError(f"unknown variables: {', '.join(unknown)}")
    if missing := sorted(set(types) - set(values)):
        raise ContextError(f"missing variables: {', '.join(missing)}")
    encoded = {name: _encode(name, values[name], expected) for name, expected in types.items()}
    size = len(json.dumps(encoded, ensure_ascii=False).encode(errors="surrogatepass"))
    if size > LIMIT:
        largest = max(encoded, key=lambda name: len(json.dumps(encoded[name], ensure_ascii=False)))
        raise ContextError(
            f"the values are {size} bytes and at most {LIMIT} are kept with a message; the largest is {largest}: "
            "pass an id and let a link lead to the rest"
        )
    return encoded


def decode(values: Mapping[str, Any], types: Mapping[str, type]) -> dict[str, Any]:
    """The stored `values` with times as times. Names without a type (of an older kind) are passed as they are."""
    return {name: _decode(value, types.get(name)) for name, value in values.items()}


def sample(types: Mapping[str, type]) -> dict[str, Any]:
    """Made-up values of these types, for previews and for the check of templates."""
    return {name: _sample(name, expected) for name, expected in types.items()}


def _encode(name: str, value: Any, expected: type) -> Any:
    # A bool is an int and a datetime is a date to isinstance(); nobody means them interchangeably.
    if type(value) is not expected and not (expected is str and isinstance(value, str)):
        raise ContextError(f"{name} should be {expected.__name__} and is {type(value).__name__}")
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            raise ContextError(f"{name} is a time without a zone")
        return value.astimezone(dt.UTC).isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, str):
        if "\0" in value:
            raise ContextError(f"{name} holds a NUL character, which PostgreSQL can't store")
        return str(value)
    if isinstance(value, list | dict):
        try:
            return json.loads(json.dumps(value, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise ContextError(f"{name} holds what JSON can't: {error}") from None
    return value


def _decode(value: Any, expected: type | None) -> Any:
    if isinstance(value, str):
        if expected is dt.datetime:
            return dt.datetime.fromisoformat(value)
        if expected is dt.date:
            return dt.date.fromisoformat(value)
    return value


def _sample(name: str, expected: type) -> Any:
    if expected is dt.datetime:
        return dt.datetime(2026, 1, 31, 18, 0, tzinfo=dt.UTC)
    if expected is dt.date:
        return dt.date(2026, 1, 31)
    if expected is str:
        return (
            "/page/" if name == "page" else name.replace("_", " ")
        )  # what is called so is a path of the site
    return expected(3) if expected in (int, bool) else expected()
