"""How a letter is written on the site's own pages: its text is that of the mail, and its links are not read aloud."""

import re

from django import template
from django.conf import settings
from django.utils.html import urlize
from django.utils.safestring import SafeString, mark_safe

register = template.Library()
_LINK = re.compile(r'(<a href="[^"]*"[^>]*>)([^<]*)(</a>)')
_LONG_ID = re.compile(r"([0-9a-f]{8})-[0-9a-f-]{27}")


@register.filter(is_safe=True)
def letter_links(text: str) -> SafeString:
    """The text with links; one to the site itself shows its page (`draws/opening-night/results`), not its whole address."""
    return mark_safe(_LINK.sub(_shortened, urlize(text, autoescape=True)))  # urlize has escaped it


def _shortened(link: re.Match[str]) -> str:
    start, words, end = link.groups()
    path = words.removeprefix(settings.SITE_URL)
    if path == words or not path.strip("/"):
        return link.group()
    return start + _LONG_ID.sub(r"\1…", path.strip("/")) + end
