"""Elements left open, closed in the wrong order or standing where they must not: what the parser of the third net mends in silence.

By HTML's rules of which end tags may be left out and of what tables may hold; see https://html.spec.whatwg.org/#syntax-tag-omission
"""

from html.parser import HTMLParser

VOID = set(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
# Their end may be left out: each ends where its parent does, or where one that it can't hold begins.
IMPLIED = set(
    [
        "html",
        "head",
        "body",
        "p",
        "li",
        "dt",
        "dd",
        "td",
        "th",
        "tr",
        "thead",
        "tbody",
        "tfoot",
        "colgroup",
        "option",
        "optgroup",
        "rt",
        "rp",
    ]
)
ENDS = {
    "li": {"li"},
    "dt": {"dt", "dd"},
    "dd": {"dt", "dd"},
    "td": {"td", "th"},
    "th": {"td", "th"},
    "tr": {"tr", "td", "th"},
    "thead": {"tbody", "thead", "tfoot", "tr", "td", "th"},
    "tbody": {"tbody", "thead", "tfoot", "tr", "td", "th"},
    "tfoot": {"tbody", "thead", "tfoot", "tr", "td", "th"},
    "option": {"option"},
    "optgroup": {"option", "optgroup"},
    "body": {"head"},
}
BLOCKS = set(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "details",
        "dialog",
        "div",
        "dl",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hgroup",
        "hr",
        "main",
        "menu",
        "nav",
        "ol",
        "p",
        "pre",
        "search",
        "section",
        "table",
        "ul",
    ]
)
ANYWHERE = {"script", "template", "style", "form", "input"}
IN_TABLES = {
    "table": {"caption", "colgroup", "thead", "tbody", "tfoot", "tr"},
    "thead": {"tr"},
    "tbody": {"tr"},
    "tfoot": {"tr"},
    "tr": {"td", "th"},
}
NOT_INSIDE = {"a": {"a", "button"}, "button": {"a", "button"}, "form": {"form"}}


class Balance(HTMLParser):
    """Reads a page; `faults` says what was wrong, each with its line."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self._open: list[tuple[str, int]] = []
        self.feed(text)
        self.close()
        for name, line in self._open:
            if name not in IMPLIED:
                self.faults.append(f"line {line}: <{name}> is never closed")

    def handle_starttag(self, tag: str, attrs: object) -> None:
        while self._open and self._ends_before(tag):
            self._open.pop()
        parent = self._open[-1][0] if self._open else ""
        if parent in IN_TABLES and tag not in IN_TABLES[parent] | ANYWHERE:
            self._fault(f"<{tag}> can't stand in <{parent}>")
        around = {name for name, _line in self._open} & NOT_INSIDE.get(tag, set())
        if around:
            self._fault(f"<{tag}> can't stand inside <{min(around)}>")
        if tag not in VOID:
            self._open.append((tag, self.getpos()[0]))

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        """`<path/>` of an SVG; of HTML's own elements only void ones may be written so."""
        if tag not in VOID and not any(name in ("svg", "math") for name, _line in self._open):
            self._fault(f"<{tag}/> doesn't close itself")

    def handle_endtag(self, tag: str) -> None:
        names = [name for name, _line in self._open]
        if tag not in names:
            self._fault(f"</{tag}> closes nothing")
            return
        while self._open[-1][0] != tag:
            name, line = self._open.pop()
            if name not in IMPLIED:
                self._fault(f"</{tag}> comes before <{name}> of line {line} is closed")
        self._open.pop()

    def _ends_before(self, tag: str) -> bool:
        last = self._open[-1][0]
        return last in ENDS.get(tag, set()) or (last == "p" and tag in BLOCKS)

    def _fault(self, text: str) -> None:
        self.faults.append(f"line {self.getpos()[0]}: {text}")
