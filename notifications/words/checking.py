"""What is looked at before words of one's own are used: errors, which have to be mended, and warnings, which may be accepted.

Pure: no ORM, no clock, no network. Whether a page behind a link exists is not asked; where it leads is.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from notifications.words.branches import pieces_of
from notifications.words.markup import Link, links_in, marked
from notifications.words.parts import LIMITS, Parts, Vocabulary
from notifications.words.sandbox import Compiled, WordsError, compile_words

_URL = re.compile(r"https?://[^\s<>\"']+", re.IGNORECASE)
_HOST_IN_TEXT = re.compile(r"\b(?:[a-z0-9-]+\.)+[a-z]{2,}\b", re.IGNORECASE)
_TAGS = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}")
_SHOUTED = 0.7  # share of capitals from which a subject counts as shouted
_SHOUTED_FROM = 6  # letters
_SUBJECT_SHOWN = 78  # characters that mail programs show of a subject, at the very most


@dataclass(frozen=True)
class Problem:
    """Something about one part; `code` names the sort of it, so that a warning is accepted and not its wording."""

    part: str
    text: str
    line: int = 0
    code: str = ""

    def __str__(self) -> str:
        return (
            _("Line %(line)d: %(text)s") % {"line": self.line, "text": self.text} if self.line else self.text
        )


@dataclass
class Findings:
    """What was found, and the parts that can be rendered."""

    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    compiled: dict[str, Compiled] = field(default_factory=dict)

    def errors_of(self, part: str) -> list[Problem]:
        """Those of one part."""
        return [problem for problem in self.errors if problem.part == part]


def check_parts(parts: Parts, vocabulary: Vocabulary, *, site_url: str) -> Findings:
    """Look through the words; what is empty is left to the default and not looked at."""
    found = Findings()
    for name, source in parts.items():
        if source:
            _check_part(name, source, vocabulary, found, site_url=site_url)
    if parts.html and not parts.text:
        found.warnings.append(
            Problem(
                "text",
                _(
                    "There is HTML of your own and no text. Who reads plain text, and the inbox, get the default words."
                ),
                code="no text",
            )
        )
    return found


def _check_part(name: str, source: str, vocabulary: Vocabulary, found: Findings, *, site_url: str) -> None:
    limit = LIMITS[name]
    if len(source) > limit:
        text = _("This is %(length)d characters long; at most %(limit)d fit. Shorten it.")
        found.errors.append(Problem(name, text % {"length": len(source), "limit": limit}))
        return
    if name == "subject" and "\n" in source:
        found.errors.append(Problem(name, _("A subject is one line. Take the line break out."), line=1))
        return
    try:
        compiled = compile_words(source, vocabulary.shapes, is_html=name == "html")
        samples = _filled(vocabulary.samples, is_html=name == "html")
        rendered = _rendered(compiled, samples)
        links = links_in(rendered) if name == "html" else _links_of_text(rendered)
        absent = _absent(samples)
        otherwise = _rendered(compiled, absent)  # the other branches of its conditions
        if name == "html":
            links_in(otherwise)
        hidden = list(_links_of_branches(compiled, samples, absent))
    except WordsError as error:
        found.errors.append(Problem(name, error.text, error.line))
        return
    found.compiled[name] = compiled
    if not rendered.strip():
        found.errors.append(
            Problem(name, _("It comes out empty with sample values. Write what is to be read then."))
        )
    if len(rendered) > 2 * limit:
        found.errors.append(Problem(name, _("It comes out far too long with sample values. Shorten it.")))
    if name != "subject":
        found.errors += [
            Problem(
                name,
                _("The link {{ %(link)s }} is missing: without it nobody can do what this message asks.")
                % {"link": link},
            )
            for link in sorted(vocabulary.links - compiled.used)
        ]
    _check_links(name, links, found, site_url=site_url)
    _check_hidden(name, hidden, found, site_url=site_url)
    _check_manners(name, source, rendered, found)


def _rendered(compiled: Compiled, samples: Mapping[str, Any]) -> str:
    try:
        return compiled.render(samples)
    except RecursionError:
        raise WordsError(_("It is nested too deeply. Write it flatter.")) from None
    except Exception as error:  # a filter given something it wasn't made for may raise anything
        raise WordsError(
            _("With sample values this fails: %(why)s. Look at the filters you use.")
            % {"why": error or type(error).__name__}
        ) from error


def _marked(samples: Mapping[str, Any]) -> dict[str, Any]:
    return {name: marked(value) if isinstance(value, str) else value for name, value in samples.items()}


class _Anything(str):
    """A value out of JSON that has whatever is looked for in it."""

    def __getitem__(self, key: Any) -> str:
        return self if isinstance(key, str) else super().__getitem__(key)


def _filled(samples: Mapping[str, Any], *, is_html: bool) -> dict[str, Any]:
    """Samples with something in their lists, so that loops are gone through, and marked for HTML."""
    anything = _Anything(marked("value") if is_html else "value")
    inside = {
        name: ([anything] if isinstance(value, list) else {"key": anything}) if value in ([], {}) else value
        for name, value in samples.items()
    }
    return _marked(inside) if is_html else inside


def _absent(samples: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: type(value)() if isinstance(value, str | int | list | dict) else value
        for name, value in samples.items()
    }


def _links_of_branches(
    compiled: Compiled, filled: Mapping[str, Any], absent: Mapping[str, Any]
) -> Iterator[Link]:
    """Look through all branches, taken or not. Raises `WordsError`."""
    for piece, begins in pieces_of(compiled, filled, absent):
        try:
            links = links_in(piece) if compiled.is_html else _links_of_text(piece)
        except WordsError as error:
            raise WordsError(error.text, line=error.line + begins - 1 if error.line else 0) from error
        yield from (replace(link, line=link.line + begins - 1) for link in links)


def _check_hidden(name: str, links: list[Link], found: Findings, *, site_url: str) -> None:
    """Links of all branches: what was not said of those that came out already."""
    more = Findings()
    _check_links(name, links, more, site_url=site_url)
    for told, new in ((found.errors, more.errors), (found.warnings, more.warnings)):
        for problem in new:
            if all(problem.text != said.text for said in told if said.part == name):
                told.append(problem)


def _links_of_text(text: str) -> list[Link]:
    return [
        Link(found[0].rstrip(".,;:!?)”’»"), "", text.count("\n", 0, found.start()) + 1)
        for found in _URL.finditer(text)
    ]


def _check_links(name: str, links: list[Link], found: Findings, *, site_url: str) -> None:
    own = urlsplit(site_url)
    for link in links:
        if link.target.startswith("mailto:") and not link.is_image:
            continue
        target = _split(link.target)
        if target is None:
            text = _("“%(link)s” is no address of a page. Write it in full: https://…")
            found.errors.append(Problem(name, text % {"link": link.target[:80]}, link.line))
            continue
        scheme, host = target
        is_own = host == (own.hostname or "")
        if scheme != "https" and not (is_own and scheme == own.scheme):
            text = _("“%(link)s” is not secured. Write https://.")
            found.errors.append(Problem(name, text % {"link": link.target[:80]}, link.line))
            continue
        if not is_own:
            text = (
                _("The picture is loaded from %(host)s, which then learns who reads this mail.")
                if link.is_image
                else _("The link leads to %(host)s, which is not this site.")
            )
            found.warnings.append(Problem(name, text % {"host": host}, link.line, code=f"host {host}"))
        shown = _HOST_IN_TEXT.search(link.says)
        if shown and not _same_site(shown[0].lower(), host):
            text = _("The link reads “%(shown)s” and leads to %(host)s. Mail programs take that for a fraud.")
            found.warnings.append(
                Problem(
                    name, text % {"shown": shown[0], "host": host}, link.line, code=f"shows {shown[0]} {host}"
                )
            )


def _split(target: str) -> tuple[str, str] | None:
    """Scheme and host of an address of a page, None where it is none."""
    try:
        parts = urlsplit(target)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if (
        parts.scheme.lower() not in ("http", "https")
        or not host
        or parts.username is not None
        or " " in target
    ):
        return None
    return parts.scheme.lower(), host


def _same_site(shown: str, host: str) -> bool:
    return shown.removeprefix("www.") == host.removeprefix("www.") or "." not in shown


def _check_manners(name: str, source: str, rendered: str, found: Findings) -> None:
    """What filters of mail take for spam, and people for shouting."""
    letters = [letter for letter in _TAGS.sub("", source) if letter.isalpha()]
    capitals = sum(letter.isupper() for letter in letters)
    if name == "subject":
        if len(letters) >= _SHOUTED_FROM and capitals >= _SHOUTED * len(letters):
            text = _(
                "The subject is written in capitals, which filters take for spam. Write it as a sentence."
            )
            found.warnings.append(Problem(name, text, code="capitals"))
        if len(rendered.strip()) > _SUBJECT_SHOWN:
            text = _("The subject is longer than %(n)d characters: its end is not seen.") % {
                "n": _SUBJECT_SHOWN
            }
            found.warnings.append(Problem(name, text, code="long subject"))
    if "!!" in rendered:
        line = rendered.count("\n", 0, rendered.index("!!")) + 1
        text = _("More than one exclamation mark at once, which filters take for spam. One is enough.")
        found.warnings.append(Problem(name, text, line if name != "subject" else 0, code="exclamation marks"))
