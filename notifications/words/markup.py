"""The HTML of a mail that staff write: which elements and attributes it may have, and that it ends what it begins.

What is not closed would swallow the foot of the mail with its link to unsubscribe; what runs, loads or asks for input is
taken out or punished by mail programs. Values stand between marks while it is looked at, so that it is seen where they come
to stand: between tags and in quoted attributes they are escaped, anywhere else they would become markup.
"""

import re
from dataclasses import dataclass
from html.parser import HTMLParser

from django.utils.translation import gettext as _

from notifications.words.sandbox import WordsError

_VOID = frozenset({"br", "hr", "img"})
_ELEMENTS = _VOID | frozenset(
    [
        "a",
        "b",
        "blockquote",
        "code",
        "div",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "i",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "u",
        "ul",
    ]
)
_ATTRIBUTES = frozenset(
    [
        "align",
        "alt",
        "bgcolor",
        "border",
        "cellpadding",
        "cellspacing",
        "class",
        "colspan",
        "dir",
        "height",
        "href",
        "lang",
        "role",
        "rowspan",
        "src",
        "style",
        "title",
        "valign",
        "width",
    ]
)
# Around each value while the HTML is looked at; the space makes an attribute without quotes fall into two.
MARK_BEGIN, MARK_END = "\ue000", " \ue001"
BLOCK = "\ue002"
"""Stands for a branch with markup of its own, which is looked at by itself."""
_NAMED_BY_VALUE = re.compile(rf"</?[{MARK_BEGIN}{BLOCK}]")
_TORN = re.compile(r"<(?:[a-zA-Z/!?]|\Z)")


@dataclass(frozen=True)
class Link:
    """A link: where it leads, what it says, and in which line it begins."""

    target: str
    says: str
    line: int
    is_image: bool = False


def marked(text: str) -> str:
    """A value as it stands in HTML that is to be looked at."""
    return f"{MARK_BEGIN}{text}{MARK_END}"


def unmarked(text: str) -> str:
    """Without the marks around values."""
    return text.replace(MARK_BEGIN, "").replace(MARK_END, "")


def links_in(html: str) -> list[Link]:
    """Look through rendered HTML whose values are `marked`; its links and pictures. Raises `WordsError`."""
    if found := _NAMED_BY_VALUE.search(html):
        raise WordsError(
            _("A variable can't name a tag: what people write might stand in it."),
            line=html.count("\n", 0, found.start()) + 1,
        )
    reader = _Reader()
    try:
        reader.feed(html)
        reader.refuse_a_torn_tag()
        reader.close()
    except AssertionError:  # of the parser itself, about a declaration cut short
        raise WordsError(_("This HTML can't be read: a “<!” is not ended.")) from None
    reader.finish()
    return reader.links


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[Link] = []
        self._open: list[tuple[str, int]] = []
        self._link: tuple[str, int, list[str]] | None = None

    @property
    def _line(self) -> int:
        return self.getpos()[0]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _ELEMENTS:
            raise WordsError(
                _(
                    "<%(tag)s> can't stand in a mail. Write plain paragraphs, links, lists, tables and pictures."
                )
                % {"tag": unmarked(tag)},
                line=self._line,
            )
        values = {name: value or "" for name, value in attrs}
        for name, value in values.items():
            self._look_at(tag, name, value)
        if tag == "a" and self._link is not None:
            raise WordsError(_("A link inside a link: close the first with </a>."), line=self._line)
        if tag == "a":
            self._link = (values.get("href", ""), self._line, [])
        if tag == "img":
            self.links.append(Link(unmarked(values.get("src", "")), "", self._line, is_image=True))
            if "alt" not in values:
                raise WordsError(
                    _('A picture without alt="…": say what it shows, for who can\'t see it.'), line=self._line
                )
        if tag not in _VOID:
            self._open.append((tag, self._line))

    def _look_at(self, tag: str, name: str, value: str) -> None:
        if BLOCK in name or BLOCK in value:
            raise WordsError(
                _(
                    "Inside <%(tag)s>, a branch or a filter gives tags or quotes. There it may give plain text alone, "
                    "in an attribute with quotes around it."
                )
                % {"tag": tag},
                line=self._line,
            )
        if name not in _ATTRIBUTES or MARK_BEGIN in name:
            raise WordsError(
                _(
                    "The attribute “%(name)s” of <%(tag)s> can't stand in a mail. Take it out; a value needs quotes around it: "
                    'href="{{ … }}".'
                )
                % {"name": unmarked(name), "tag": tag},
                line=self._line,
            )
        if name == "style" and (MARK_BEGIN in value or "url(" in value.lower() or "@import" in value.lower()):
            raise WordsError(_("A style may neither hold a variable nor load anything."), line=self._line)
        if name in ("href", "src") and value.startswith(MARK_BEGIN) and not _leads_somewhere(value):
            raise WordsError(
                _(
                    "A link can't begin with this variable: what people write might stand in it. Begin with {{ site_url }}/."
                ),
                line=self._line,
            )

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        if not self._open or self._open[-1][0] != tag:
            inner = self._open[-1] if self._open else None
            raise WordsError(
                _("</%(tag)s> ends what is not open.") % {"tag": tag}
                if inner is None
                else _("</%(tag)s> ends what is not open here: <%(inner)s> of line %(line)d comes first.")
                % {"tag": tag, "inner": inner[0], "line": inner[1]},
                line=self._line,
            )
        self._open.pop()
        if tag == "a" and self._link is not None:
            target, line, says = self._link
            said = unmarked("".join(says)).replace(BLOCK, " ")
            self.links.append(Link(unmarked(target), " ".join(said.split()), line))
            self._link = None

    def handle_data(self, data: str) -> None:
        if self._link is not None:
            self._link[2].append(data)

    def handle_comment(self, data: str) -> None:
        raise WordsError(_("An HTML comment would be sent, too. Write {# … #} instead."), line=self._line)

    def handle_decl(self, decl: str) -> None:
        raise WordsError(
            _("Write only what stands in the mail: the page around it is made by the site."), line=self._line
        )

    def unknown_decl(self, data: str) -> None:
        self.handle_decl(data)

    def handle_pi(self, data: str) -> None:
        self.handle_decl(data)

    def finish(self) -> None:
        """What is still open at the end."""
        if self._open:
            tag, line = self._open[-1]
            raise WordsError(
                _("<%(tag)s> is never closed. Write </%(tag)s> where it ends.") % {"tag": tag}, line=line
            )

    def refuse_a_torn_tag(self) -> None:
        """What is left over after all was read: what comes after it in the mail would be swallowed."""
        if _TORN.search(self.rawdata):
            raise WordsError(_("The HTML ends in the middle of a tag. Write its “>”."), line=self._line)


def _leads_somewhere(value: str) -> bool:
    """Whether the value at the beginning of an address is one of the site's own: those are whole addresses."""
    return unmarked(value).startswith(("https://", "http://"))
