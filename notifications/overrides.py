"""Which words of one's own stand in the place of a kind's, and what happens when they fail.

A person's language decides: words in it, else in it without its country; words in another language never replace what the
person could read. Only who speaks a language that the site does not speak, and so gets the site's usual one, gets that one's
words too.

All wordings in force are read by one statement and kept for `FRESH_SECONDS`, so that a hundred thousand mails don't ask a
hundred thousand times: that long after it is saved a version may take to reach every process.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import structlog
from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone, translation

from notifications import kinds, occasions
from notifications.kinds import Kind
from notifications.models import TemplateOverride, TemplateVersion
from notifications.words.parts import Parts
from notifications.words.sandbox import Compiled, Shape, WordsError, compile_words, shape_of

log = structlog.get_logger(__name__)

FRESH_SECONDS = 2.0


@dataclass(frozen=True)
class OwnWords:
    """Words in the place of a kind's own, in one language; `override_id` None: they came with the message itself."""

    kind: str
    language: str
    parts: Parts
    override_id: int | None = None
    number: int = 0
    shapes: Mapping[str, Shape] | None = None
    _compiled: dict[str, Compiled] = field(default_factory=dict, compare=False, repr=False)

    def render(self, part: str, kind: Kind, values: Mapping[str, Any]) -> str:
        """One part with these values. Raises `WordsError` and whatever a filter raises; also when nothing comes out."""
        if part not in self._compiled:
            source = getattr(self.parts, part)
            self._compiled[part] = compile_words(
                source, self.shapes or shapes_of(kind), is_html=part == "html"
            )
        rendered = self._compiled[part].render(values)
        if not rendered.strip():
            raise WordsError(f"{part} comes out empty")
        return rendered


def shapes_of(kind: Kind) -> dict[str, Shape]:
    """What a template of this kind knows, and what may be done with it."""
    declared = {**kind.variables, **kind.params}
    plain = (*kinds.STANDARD_VARIABLES, *kind.links)
    return {name: shape_of(of_type) for name, of_type in declared.items()} | dict.fromkeys(plain, Shape.PLAIN)


def own_words(kind: Kind, language: str) -> OwnWords | None:
    """The words in force for this kind and a person of this language, None for the kind's own."""
    in_force = _in_force()
    for candidate in languages_for(language):
        if (found := in_force.get((kind.name, candidate))) is not None:
            return found
    return None


def brought_words(kind: Kind, context: Mapping[str, Any], language: str) -> OwnWords:
    """The words that a message brings, for a person of this language; the first ones where there are none in it."""
    words = context["words"]
    chosen = next(
        (candidate for candidate in languages_for(language) if candidate in words), next(iter(words))
    )
    return _brought(kind.name, chosen, Parts.of(words[chosen]), context["occasion"])


@lru_cache(maxsize=256)
def _brought(kind: str, language: str, parts: Parts, occasion: str) -> OwnWords:
    return OwnWords(kind, language, parts, shapes=brought_shapes(occasion))


def brought_shapes(occasion: str) -> dict[str, Shape]:
    """What words know that a message brings: what everybody's do, and the values of its occasion."""
    values = occasions.variables_of(occasion)
    return {name: shape_of(of_type) for name, of_type in values.items()} | dict.fromkeys(
        kinds.STANDARD_VARIABLES, Shape.PLAIN
    )


def languages_for(language: str) -> list[str]:
    """In which languages words are looked for, in this order."""
    asked = language.lower()
    wanted = [asked, asked.partition("-")[0]]
    try:
        translation.get_supported_language_variant(asked)
    except LookupError:
        wanted.append(settings.LANGUAGE_CODE)
    return list(dict.fromkeys(wanted))


def note_broken(words: OwnWords, error: Exception) -> None:
    """Write down, once, that these words fail: the alarms and the wording's page show it until a new version is saved."""
    if words.override_id is None or (words.override_id, words.number) in _noted:
        return
    _noted.add((words.override_id, words.number))
    standing = TemplateOverride.objects.filter(pk=words.override_id, number=words.number, broken_at=None)
    why = f"{type(error).__name__}: {error}" if not isinstance(error, WordsError) else str(error)
    if standing.update(broken_at=timezone.now(), broken_why=why[:1000]):
        log.error(
            "wording_broken", kind=words.kind, language=words.language, version=words.number, error=why[:500]
        )


def forget() -> None:
    """Read the wordings anew before the next use."""
    global _kept
    _kept = None
    _noted.clear()


_InForce = Mapping[tuple[str, str], OwnWords]
_kept: tuple[float, _InForce] | None = None
_noted: set[tuple[int, int]] = set()


def _in_force() -> _InForce:
    global _kept
    now = time.monotonic()
    if _kept is not None and now - _kept[0] < FRESH_SECONDS:
        return _kept[1]
    known = {(words.override_id, words.number): words for words in _kept[1].values()} if _kept else {}
    found = {}
    rows = TemplateVersion.objects.filter(number=F("override__number")).select_related("override")
    for row in rows.exclude(Q(subject="", text="", html="", sms="")):
        name, language = row.override.kind, row.override.language
        # What was compiled before is kept: a version never changes.
        found[(name, language)] = known.get((row.override_id, row.number)) or OwnWords(
            name, language, row.parts, row.override_id, row.number
        )
    _kept = (now, found)
    return found
