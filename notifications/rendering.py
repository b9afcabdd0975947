"""The words of a delivery: its kind's templates, in its recipient's language and time zone.

Rendered when sent and again whenever it is read, from values alone: nothing rendered is stored, and no
template asks the database.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.template import Context, Engine, Template, TemplateDoesNotExist, engines
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from notifications import variables
from notifications.frames import fill_layout
from notifications.kinds import Category, Kind
from notifications.quiet_hours import zone_of

if TYPE_CHECKING:  # the check of templates needs this module before models are loaded
    from notifications.mail_links import MailLinks
    from notifications.models import Delivery

LAYOUT = "notifications/layout.html"
HIDDEN_LINK = "[link for the recipient alone]"
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
    with _manners_of(delivery):
        return render_words(_engine(), kind, values_of(delivery, kind, for_links=for_links))


def mail_of(delivery: "Delivery", kind: Kind, links: "MailLinks") -> tuple[Words, str]:
    """Subject, text and HTML of a delivery by e-mail, with its foot. Raises as `words_of` does."""
    with _manners_of(delivery):
        values = values_of(delivery, kind)
        words = render_words(_engine(), kind, values)
        html = render_html(_engine(), kind, {**values, **foot_values(links)}, words)
        return Words(words.subject, words.text + _foot_of_text(links)), html


def text_of(delivery: "Delivery", kind: Kind, *, for_links: str | None = None) -> str:
    """What a delivery says by SMS or WhatsApp, with how to stop it. Raises, and hides links, as `words_of` does."""
    with _manners_of(delivery):
        text = render_text(_engine(), kind, values_of(delivery, kind, for_links=for_links))
        if kind.category == Category.TRANSACTIONAL:
            return text
        return f"{text}\n" + _("Reply STOP to end such messages.")


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
        **variables.decode(delivery.message.context, kind.variables),
        **variables.decode(delivery.params, kind.params),
        **{name: link(delivery) if for_links is None else for_links for name, link in kind.links.items()},
        **standard_values(name=delivery.name, has_inbox=delivery.member_id is not None),
    }


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
        "name": name,
        "site_name": settings.SITE_NAME,
        "site_url": settings.SITE_URL,
        "inbox_url": settings.SITE_URL + reverse("notifications:inbox") if has_inbox else "",
    }


def render_words(engine: Engine, kind: Kind, values: Mapping[str, Any]) -> Words:
    """Subject and text of `kind` with these values; nothing is escaped, because neither is HTML."""
    subject = _render(engine.get_template(kind.subject_template), values, escape=False)
    text = _render(engine.get_template(kind.text_template), values, escape=False)
    return Words(" ".join(subject.split()), text.strip() + "\n")


def render_text(engine: Engine, kind: Kind, values: Mapping[str, Any]) -> str:
    """The short text of `kind` for telephones, without empty lines."""
    text = _render(engine.get_template(kind.sms_template), values, escape=False)
    return "\n".join(line for part in text.splitlines() if (line := " ".join(part.split())))


def render_html(engine: Engine, kind: Kind, values: Mapping[str, Any], words: Words) -> str:
    """HTML of an e-mail: the kind's own template if it has one, otherwise its text in the layout."""
    preheader = " ".join(words.text[: 4 * PREHEADER_LENGTH].split())[:PREHEADER_LENGTH]
    values = {**values, "subject": words.subject, "text": words.text, "preheader": preheader}
    try:
        template = engine.get_template(kind.html_template)
    except TemplateDoesNotExist:
        return fill_layout(engine.get_template(LAYOUT), values)
    return _render(template, values, escape=True)


def _render(template: Template, values: Mapping[str, Any], *, escape: bool) -> str:
    return template.render(Context(dict(values), autoescape=escape))


def _engine() -> Engine:
    engine: Engine = engines["django"].engine  # type: ignore[attr-defined]
    return engine


@contextmanager
def _manners_of(delivery: "Delivery") -> Iterator[None]:
    with translation.override(_spoken(delivery.language)), timezone.override(zone_of(delivery.time_zone)):
        yield


def _spoken(language: str) -> str:
    """The person's language where the site speaks it; else no date in it stands among words that are not."""
    try:
        return translation.get_supported_language_variant(language)
    except LookupError:
        return settings.LANGUAGE_CODE
