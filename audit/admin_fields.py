"""What the admin's pages show of a row, worked out once."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

T = TypeVar("T")


def once(show: Callable[[Any, Any], T]) -> Callable[[Any, Any], T]:
    """Of a field that asks the database: its answer is kept beside the row, as long as that is held in memory.

    django-unfold's templates ask for each read-only field of a page up to five times.
    """

    @wraps(show)
    def shown(admin: Any, row: Any) -> T:
        kept: dict[str, T] = row.__dict__.setdefault("_shown_once", {})
        if show.__qualname__ not in kept:
            kept[show.__qualname__] = show(admin, row)
        return kept[show.__qualname__]

    return shown
