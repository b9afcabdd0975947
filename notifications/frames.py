"""The layout of mails, rendered once for all that differ only in their words and links, and filled in for each.

What `notifications/layout.html` shows of one mail is its subject, its text as paragraphs, the line beside the subject and the two links at its
foot; all else is the same for everybody who reads it in one language with the same links. So its parts between those are kept,
by the template itself: a layout that is loaded anew is rendered anew. A test holds the layout to it.
"""

import html
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from django.template import Context, Template
from django.utils import translation

from notifications.templatetags.letters import letter_paragraphs

# Characters of nobody's language (private use), so that no filter changes them.
_SUBJECT, _TEXT, _PREHEADER, _PREFERENCES, _UNSUBSCRIBE = (
    f"\ue0f0{chr(0xE100 + number)}\ue0f1" for number in range(5)
)
_SLOTS = {
    _SUBJECT: "subject",
    f"<p>{_TEXT}</p>": "text",
    _PREHEADER: "preheader",
    _PREFERENCES: "preferences_url",
    _UNSUBSCRIBE: "unsubscribe_url",
}
_FRAMES_KEPT = 64
_SAME = ("site_name", "site_url", "inbox_url")

_frames: "WeakKeyDictionary[Template, dict[tuple[Any, ...], list[str]]]" = WeakKeyDictionary()


def fill_layout(layout: Template, values: Mapping[str, Any]) -> str:
    """The layout as `values` make it: the same as rendering it with them."""
    filled = {
        "subject": html.escape(values["subject"]),
        "text": letter_paragraphs(values["text"]),
        "preheader": html.escape(values["preheader"]),
        "preferences_url": html.escape(values.get("preferences_url", "")),
        "unsubscribe_url": html.escape(values.get("unsubscribe_url", "")),
    }
    parts = _frame(layout, values)
    return "".join(filled[part] if at % 2 else part for at, part in enumerate(parts))


def _frame(layout: Template, values: Mapping[str, Any]) -> list[str]:
    """Parts that stay at even places, and names of what stands between them at odd ones."""
    can_stop = bool(values.get("unsubscribe_url"))
    same = tuple(values.get(name, "") for name in _SAME)
    key = (translation.get_language(), can_stop, *same)
    kept = _frames.setdefault(layout, {})
    if (parts := kept.get(key)) is None:
        sample = dict(zip(_SAME, same, strict=True)) | {
            "subject": _SUBJECT,
            "text": _TEXT,
            "preheader": _PREHEADER,
            "preferences_url": _PREFERENCES,
            "unsubscribe_url": _UNSUBSCRIBE if can_stop else "",
        }
        parts = _split(layout.render(Context(sample)))
        if len(kept) >= _FRAMES_KEPT:
            kept.clear()
        kept[key] = parts
    return parts


def _split(rendered: str) -> list[str]:
    parts = [rendered]
    for mark, name in _SLOTS.items():
        parts = [
            piece
            for at, part in enumerate(parts)
            for piece in ([part] if at % 2 else _between(part, mark, name))
        ]
    return parts


def _between(part: str, mark: str, name: str) -> list[str]:
    first, *rest = part.split(mark)
    return [first, *(piece for after in rest for piece in (name, after))]
