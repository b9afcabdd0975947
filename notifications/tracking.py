"""Links and a picture by which a mail tells that it was opened and what was clicked. Nothing is stored for them.

A link's target stands in its address, beside an HMAC under `LINK_KEY` over delivery and target. That is made here alone, of
targets that stand in the rendered mail and are the site's own pages or stand letter by letter in what was written for all its readers: what
comes out of a value, such as a name somebody gave themselves, is never led over this site. Any other target is refused.
"""

import hmac
import html as markup
import re
import uuid
from collections.abc import Iterable, Set
from functools import lru_cache
from urllib.parse import quote

from django.conf import settings

from notifications.kinds import Category, Kind
from notifications.templatetags.letters import letter_paragraphs

PREFIX = "/api/track/notification/"
TRAP = "trap"
"""Stands in the address of the link that no person sees."""
_LINK = re.compile(r'(<a\b[^>]*?\bhref=")(https?://[^"]+)(")', re.IGNORECASE)
_TAGS = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}")
_DOMAIN = b"fairground click 1"


def is_tracked(kind: Kind) -> bool:
    """Whether mails of this kind tell: those that can be switched off, and no others."""
    return bool(settings.TRACK_MAILS) and kind.category != Category.TRANSACTIONAL


def written_links(sources: Iterable[str]) -> frozenset[str]:
    """Targets that stand whole in the sources of templates, each as it comes out of a mail."""
    return frozenset[str]().union(*map(_links_of_source, sources))


def with_tracking(
    html: str, kind: Kind, *, handle: uuid.UUID, untracked: tuple[str, ...], written: Set[str] = frozenset()
) -> str:
    """The HTML of a mail, with its links led over this site, and a picture of one pixel before its end.

    Led over are links to the site's own pages and those `written` by staff or in a kind's templates. Not led over are links to
    consent (`untracked`) and those of a kind that has secret ones (`Kind.links`): a secret belongs in no address but its own.
    """
    base = f"{settings.SITE_URL}{PREFIX}{handle}/"
    hidden = "display:none;max-height:0;overflow:hidden;mso-hide:all"
    foot = f'<img src="{base}open" width="1" height="1" alt="" style="border:0;display:block">'
    if not kind.links:
        html = _LINK.sub(lambda link: _led(link, base, handle, untracked, written), html)
        trap = markup.escape(_click_url(base, handle, f"{settings.SITE_URL}/") + f"&{TRAP}=1")
        foot = f'<a href="{trap}" style="{hidden}" tabindex="-1" aria-hidden="true"></a>{foot}'
    before, end, after = html.rpartition("</body>")
    return f"{before}{foot}{end}{after}" if end else f"{html}{foot}"


def mac_of(handle: uuid.UUID, target: str) -> str:
    """What proves that `target` stands in the mail of this delivery."""
    said = b"\0".join([_DOMAIN, handle.bytes, target.encode()])
    return hmac.digest(settings.LINK_KEY.encode(), said, "sha256")[:16].hex()


def is_genuine_target(handle: uuid.UUID, target: str, mac: str) -> bool:
    """Whether this site made that address."""
    return target.startswith(("https://", "http://")) and hmac.compare_digest(
        mac_of(handle, target).encode(), mac.encode(errors="replace")
    )


def _led(
    link: re.Match[str], base: str, handle: uuid.UUID, untracked: tuple[str, ...], written: Set[str]
) -> str:
    before, address, after = link.groups()
    target = markup.unescape(address) if "&" in address else address
    if target in untracked or target.startswith(_consent_pages(settings.SITE_URL)):
        return link.group()
    if (
        not target.startswith(f"{settings.SITE_URL}/")
        and target != settings.SITE_URL
        and target not in written
    ):
        return link.group()
    return f"{before}{_click_url(base, handle, target).replace('&', '&amp;')}{after}"


def _click_url(base: str, handle: uuid.UUID, target: str) -> str:
    return f"{base}click?to={_quoted(target)}&sig={mac_of(handle, target)}"


@lru_cache(maxsize=256)
def _links_of_source(source: str) -> frozenset[str]:
    """In HTML as they stand there, in text as the mail's paragraphs make links of them. Where a value stands, an address ends."""
    bare = _TAGS.sub(" ", source)
    found = [target for html in (bare, letter_paragraphs(bare)) for _a, target, _z in _LINK.findall(html)]
    return frozenset(map(markup.unescape, found))


@lru_cache(maxsize=1024)
def _quoted(target: str) -> str:
    return quote(target, safe="")


@lru_cache(maxsize=4)
def _consent_pages(site: str) -> tuple[str, ...]:
    return (f"{site}/preferences/", f"{site}/unsubscribe/")
