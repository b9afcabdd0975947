"""The words of a delivery: its kind's templates, or what staff wrote in their place, in its recipient's language and zone.

Rendered when sent and again whenever it is read, from values alone: nothing rendered is stored, and no
template asks the database. Words of staff that fail are noted, and the kind's own are said.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.template import Context, Engine, Template, TemplateDoesNotExist, engines
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _

from notifications import occasions, variables
from notifications.frames import fill_layout
from notifications.kinds import Category, Kind
from notifications.overrides import OwnWords, brought_words, note_broken, own_words
from notifications.quiet_hours import zone_of

if TYPE_CHECKING:
    from notifications.mail_links import MailLinks
    from notifications.models import Delivery, Message

LAYOUT = "notifications/layout.html"
HIDDEN_LINK = "[link for the recipient alone]"
_JOINER = "\u2060"  # takes no room, and is part of no address
_LINKED = re.compile(r"://|(?<=\bwww)\.|(?<=\w)[.@](?=\w\w)", re.IGNORECASE)
PREHEADER_LENGTH = 110  # characters; mail clients show about that much beside the subject


@dataclass(frozen=True)
class Words:
    """What is said: a subject of one line and a text; both plain, not HTML."""

    subject: str
    text: str


def words_of(delivery: "Delivery", kind: Kind, *, for_links: str | None = None) -> Words:
    """Subject and text of a delivery. Raises whatever a broken template or variable makes Django raise.

    With `for_links` in the place of each link for anybody but the recipient: whoever reads a secret link can open
    what it opens. In lists too, where nobody reads links, and each would ask the database.
    """
    for own in _choices(delivery, kind):
        with manners_of(delivery, own):
            values = values_of(delivery, kind, for_links=for_links)
            try:
                return render_words(site_engine(), kind, values, own)
            except Exception as error:  # a filter of a template may raise anything
                _next_choice(own, error)
    raise AssertionError("unreachable: the last choice returns or raises")


def mail_of(delivery: "Delivery", kind: Kind, links: "MailLinks") -> tuple[Words, str]:
    """Subject, text and HTML of a delivery by e-mail, with its foot. Raises as `words_of` does."""
    for own in _choices(delivery, kind):
        with manners_of(delivery, own):
            values = values_of(delivery, kind)
            try:
                words = render_words(site_engine(), kind, values, own)
                html = render_html(site_engine(), kind, {**values, **foot_values(links)}, words, own)
            except Exception as error:  # a filter of a template may raise anything
                _next_choice(own, error)
                continue
            return Words(words.subject, words.text + _foot_of_text(links)), html
    raise AssertionError("unreachable: the last choice returns or raises")


def sources_of(delivery: "Delivery", kind: Kind) -> list[str]:
    """What was written for all readers of such a mail: words of staff, and the kind's own templates."""
    sources = [
        source
        for own in _choices(delivery, kind)
        if own is not None
        for source in (own.parts.text, own.parts.html)
    ]
    for name in (kind.text_template, kind.html_template):
        with suppress(TemplateDoesNotExist):
            sources.append(str(site_engine().get_template(name).source))
    return sources


def _choices(delivery: "Delivery", kind: Kind) -> Iterator[OwnWords | None]:
    """The words to try: those of staff where there are any, and then (None) the kind's own."""
    if kind.brings_words:  # there are no others
        yield brought_words(kind, delivery.message.context, delivery.language)
        return
    if (own := own_words(kind, delivery.language)) is not None:
        yield own
    yield None


def _next_choice(own: OwnWords | None, error: Exception) -> None:
    """What failed was written by staff: it is noted, and what comes next is tried. Raises `error` where nothing does."""
    if own is None or own.override_id is None:
        raise error
    note_broken(own, error)


def text_of(delivery: "Delivery", kind: Kind, *, for_links: str | None = None) -> str:
    """What a delivery says by SMS or WhatsApp, with how to stop it. Raises, and hides links, as `words_of` does."""
    for own in _choices(delivery, kind):
        with manners_of(delivery, own):
            values = values_of(delivery, kind, for_links=for_links)
            try:
                text = render_text(site_engine(), kind, values, own)
            except Exception as error:  # a filter of a template may raise anything
                _next_choice(own, error)
                continue
            if kind.category == Category.TRANSACTIONAL:
                return text
            return f"{text}\n" + _("Reply STOP to end such messages.")
    raise AssertionError("unreachable: the last choice returns or raises")


def foot_values(links: "MailLinks") -> dict[str, str]:
    """What the layout of mails knows besides: `kinds.FOOT_VARIABLES`."""
    return {"preferences_url": links.preferences_url, "unsubscribe_url": links.unsubscribe_url}


def _foot_of_text(links: "MailLinks") -> str:
    """The foot of the plain text; "-- " is where mail programs know that the text ends (RFC 3676 §4.3)."""
    if links.unsubscribe_url:
        lines = [_("Stop such messages: %s") % links.unsubscribe_url]
    else:
        lines = [_("Messages about accounts, money and prizes can't be switched off.")]
    return "\n".join(["", "-- ", *lines, _("What we may tell you: %s") % links.preferences_url, ""])


def values_of(delivery: "Delivery", kind: Kind, *, for_links: str | None = None) -> dict[str, Any]:
    """What the templates of `kind` see for this delivery, with `for_links` instead of each of its links."""
    return {
        **context_of(delivery.message, kind),
        **variables.decode(delivery.params, kind.params),
        **{name: link(delivery) if for_links is None else for_links for name, link in kind.links.items()},
        **standard_values(name=delivery.name, has_inbox=delivery.member_id is not None),
    }


def context_of(message: "Message", kind: Kind) -> dict[str, Any]:
    """What all recipients of a message see."""
    context = variables.decode(message.context, kind.variables)
    if kind.brings_words:
        context |= variables.decode(context["values"], occasions.variables_of(context["occasion"]))
    return context


def sample_values(kind: Kind) -> dict[str, Any]:
    """Made-up values for previews and for the check of templates."""
    return {
        **variables.sample(kind.variables),
        **variables.sample(kind.params),
        **{name: f"{settings.SITE_URL}/sample/{name}/" for name in kind.links},
        **standard_values(name="Asha Kamau", has_inbox=True),
    }


def standard_values(*, name: str, has_inbox: bool) -> dict[str, Any]:
    """What every template knows: `kinds.STANDARD_VARIABLES`."""
    return {
        "name": without_links(name),
        "site_name": settings.SITE_NAME,
        "site_url": settings.SITE_URL,
        "inbox_url": settings.SITE_URL + reverse("notifications:inbox") if has_inbox else "",
    }


def without_links(name: str) -> str:
    """A name as people read it, that neither the site nor a mail program makes a link of: anybody names themselves."""
    return _LINKED.sub(rf"{_JOINER}\g<0>{_JOINER}", name)


def render_words(engine: Engine, kind: Kind, values: Mapping[str, Any], own: OwnWords | None = None) -> Words:
    """Subject and text of `kind` with these values; nothing is escaped, because neither is HTML.

    In `own`, what staff wrote: the parts that it has not are the kind's.
    """
    if own is not None and own.parts.subject:
        subject = own.render("subject", kind, values)
    else:
        subject = _render(engine.get_template(kind.subject_template), values, escape=False)
    if own is not None and own.parts.text:
        text = own.render("text", kind, values)
    else:
        text = _render(engine.get_template(kind.text_template), values, escape=False)
    return Words(" ".join(subject.split()), text.strip() + "\n")


def render_text(engine: Engine, kind: Kind, values: Mapping[str, Any], own: OwnWords | None = None) -> str:
    """The short text of `kind` for telephones, without empty lines; of `own` words where staff wrote it."""
    if own is not None and own.parts.sms:
        text = own.render("sms", kind, values)
    elif own is not None and kind.brings_words:
        text = own.render("text", kind, values)
    else:
        text = _render(engine.get_template(kind.sms_template), values, escape=False)
    return "\n".join(line for part in text.splitlines() if (line := " ".join(part.split())))


def render_html(
    engine: Engine, kind: Kind, values: Mapping[str, Any], words: Words, own: OwnWords | None = None
) -> str:
    """HTML of an e-mail: the kind's own template if it has one, otherwise its text in the layout.

    The HTML of staff stands in the layout, between its heading and its foot; their text without HTML likewise.
    """
    preheader = " ".join(words.text[: 4 * PREHEADER_LENGTH].split())[:PREHEADER_LENGTH]
    values = {**values, "subject": words.subject, "text": words.text, "preheader": preheader}
    if own is not None and own.parts.html:
        content = mark_safe(own.render("html", kind, values))
        return _render(engine.get_template(LAYOUT), {**values, "content_html": content}, escape=True)
    if own is not None and own.parts.text:
        return fill_layout(engine.get_template(LAYOUT), values)
    try:
        template = engine.get_template(kind.html_template)
    except TemplateDoesNotExist:
        return fill_layout(engine.get_template(LAYOUT), values)
    return _render(template, values, escape=True)


def _render(template: Template, values: Mapping[str, Any], *, escape: bool) -> str:
    return template.render(Context(dict(values), autoescape=escape))


def site_engine() -> Engine:
    """The engine of the kinds' own templates."""
    engine: Engine = engines["django"].engine  # type: ignore[attr-defined]
    return engine


@contextmanager
def manners_of(delivery: "Delivery", own: OwnWords | None = None) -> Iterator[None]:
    """The language and the clock of whoever reads it. Taken once around many letters, it costs each of them little."""
    language = own.language if own is not None else _spoken(delivery.language)
    zone = zone_of(delivery.time_zone)
    if translation.get_language() == language and timezone.get_current_timezone() is zone:
        yield
        return
    with translation.override(language), timezone.override(zone):
        yield


def _spoken(language: str) -> str:
    """The person's language where the site speaks it; else no date in it stands among words that are not."""
    try:
        return translation.get_supported_language_variant(language)
    except LookupError:
        return settings.LANGUAGE_CODE
