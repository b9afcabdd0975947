"""How a letter is written on the site's own pages: its text is that of the mail, and its links are not read aloud."""

import re
from functools import lru_cache

from django import template
from django.conf import settings
from django.utils.html import Urlizer, linebreaks, urlize
from django.utils.safestring import SafeString, mark_safe

register = template.Library()
WORDS_KEPT = 8_192
_urlizer = Urlizer()
_LINK = re.compile(r'(<a href="[^"]*"[^>]*>)([^<]*)(</a>)')
_LONG_ID = re.compile(r"([0-9a-f]{8})-[0-9a-f-]{27}")


@register.filter(is_safe=True)
def letter_links(text: str) -> SafeString:
    """The text with links; one to the site itself shows its page (`draws/opening-night/results`), not its whole address."""
    return mark_safe(_LINK.sub(_shortened, urlize(text, autoescape=True)))  # urlize has escaped it


@register.filter
def letter_paragraphs(text: str) -> SafeString:
    """What `text|urlize|linebreaks` gives of plain text. The words of a message are the same in all its letters: each is
    looked at once."""
    linked = "".join(map(_linked, Urlizer.word_split_re.split(text)))
    return mark_safe(linebreaks(linked, autoescape=False))  # each word has been escaped


@lru_cache(maxsize=WORDS_KEPT)
def _linked(word: str) -> str:
    return str(_urlizer.handle_word(word, safe_input=False, autoescape=True))


def _shortened(link: re.Match[str]) -> str:
    start, words, end = link.groups()
    path = words.removeprefix(settings.SITE_URL)
    if path == words or not path.strip("/"):
        return link.group()
    return start + _LONG_ID.sub(r"\1…", path.strip("/")) + end
