"""Pieces of a page that are rendered once and kept in the process, for pages that many people look at.

A kept piece is given its arguments and nothing else of the page: no request, no user, no context processor. It is
kept under all of them, the language and the time zone, so what it shows can't be older than what it was asked for:
another title, phase or hour is another piece.
"""

import datetime as dt
from collections.abc import Hashable
from functools import lru_cache

from django import template
from django.conf import settings
from django.template.loader import get_template
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

register = template.Library()

_KEPT = 1024
"""Pieces; a draw's card is about 5 kB."""

_PLAIN = (str, int, bool, float, dt.datetime, dt.date, type(None))


@register.simple_tag
def kept(template_name: str, **shown: object) -> SafeString:
    """`{% kept "components/NAME.html" word=value … %}`: the template with these values, rendered once.

    Values are text, numbers, times, and lists of those. Raises `TypeError` for anything else: a row of the database
    is equal to its older self, so a piece kept under it would go stale.
    """
    values = tuple((word, _plain(value)) for word, value in sorted(shown.items()))
    where = (template_name, get_language(), str(timezone.get_current_timezone()))
    render = _render.__wrapped__ if settings.DEBUG else _render  # whoever edits a template wants to see it
    return mark_safe(
        render(where, values, repr(values))
    )  # made by a template, which has escaped what it was given


def _plain(value: object) -> Hashable:
    if isinstance(value, list | tuple):
        return tuple(_plain(item) for item in value)
    if isinstance(value, Promise):
        return str(value)  # a lazy translation, in the language of this request
    if not isinstance(value, _PLAIN):
        raise TypeError(f"a kept piece can't be given a {type(value).__name__}")
    return value


@lru_cache(maxsize=_KEPT)
def _render(
    where: tuple[str, str | None, str], values: tuple[tuple[str, Hashable], ...], _spelled: str
) -> str:
    # `_spelled` is there for the key: 1, 1.0 and True are equal, and written differently.
    return str(get_template(where[0]).render(dict(values)))
