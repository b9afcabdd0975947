"""What is written for one message: four texts, and the variables they may use."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from django.utils.translation import gettext_lazy as _

from notifications.words.sandbox import Shape

TITLES = {
    "subject": _("Subject"),
    "text": _("Text"),
    "html": _("HTML"),
    "sms": _("Short text"),
}
LIMITS = {"subject": 200, "text": 20_000, "html": 60_000, "sms": 640}
"""Characters of what is written, and of what comes out of it with sample values."""


@dataclass(frozen=True)
class Parts:
    """Sources of the texts; an empty one leaves that part to the default."""

    subject: str = ""
    text: str = ""
    html: str = ""
    sms: str = ""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Out of a form, a row or JSON: the names it knows, with line ends of one sort."""
        return cls(**{name: _clean(values.get(name)) for name in PARTS})

    def items(self) -> Iterator[tuple[str, str]]:
        """Each part's name and source."""
        return iter(asdict(self).items())

    def changed_from(self, other: "Parts") -> list[str]:
        """Names of the parts that differ."""
        return [name for name, source in self.items() if source != getattr(other, name)]

    def __bool__(self) -> bool:
        return any(source for _name, source in self.items())


PARTS = tuple(field.name for field in fields(Parts))


@dataclass(frozen=True)
class Vocabulary:
    """What the words of a message may use: shapes and sample values by name, and links that must not be missing."""

    shapes: Mapping[str, Shape]
    samples: Mapping[str, Any]
    links: frozenset[str] = frozenset()


def _clean(value: Any) -> str:
    return str(value or "").replace("\r\n", "\n").replace("\r", "\n").strip()
