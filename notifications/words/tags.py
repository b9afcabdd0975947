"""All that words of one's own may call: a few tags and filters of Django's that reach nothing but their values.

Left out is what loads (`load`, `include`, `extends`), what tells of the site (`debug`, `now`), what marks text as HTML
(`safe`, `autoescape`), and what can blow a short text up (`ljust`, `center`, `stringformat`, `floatformat`). `add` adds numbers alone and
`join` joins lists alone: of texts each could double what it is given, and again. No filter gives a longer text than `MOST`.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.humanize.templatetags import humanize
from django.template import Library, defaultfilters, defaulttags
from django.utils.translation import gettext as _

TAGS = ("comment", "firstof", "for", "if", "with")
FILTERS = (
    "add",
    "capfirst",
    "date",
    "default",
    "default_if_none",
    "divisibleby",
    "first",
    "join",
    "last",
    "length",
    "linebreaks",
    "linebreaksbr",
    "lower",
    "pluralize",
    "time",
    "title",
    "truncatechars",
    "truncatewords",
    "upper",
    "urlencode",
    "urlize",
    "yesno",
)

MOST = 200_000
"""Characters that a filter may give, and that a whole text may have."""


class TooLongError(ValueError):
    """What comes out is longer than any message."""

    def __init__(self) -> None:
        super().__init__(_("It comes out longer than %(most)d characters. Shorten it.") % {"most": MOST})


def _add(value: Any, argument: Any) -> int | str:
    """The sum of two numbers, and nothing of anything else."""
    try:
        return int(value) + int(argument)
    except (ValueError, TypeError):
        return ""


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def within(value: Any, *arguments: Any, **more: Any) -> Any:
        given = function(value, *arguments, **more)
        if isinstance(given, str) and len(given) > MOST:
            raise TooLongError
        return given

    return within


def _join_lists(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def within(value: Any, argument: Any, **more: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        if len(value) * len(str(argument)) > MOST:
            raise TooLongError
        return function(value, argument, **more)

    return within


register = Library()
for _name in TAGS:
    register.tags[_name] = defaulttags.register.tags[_name]
for _name in FILTERS:
    register.filters[_name] = _bounded(defaultfilters.register.filters[_name])
register.filters["add"] = _add
register.filters["join"] = _bounded(_join_lists(defaultfilters.register.filters["join"]))
register.filters["intcomma"] = _bounded(humanize.register.filters["intcomma"])
