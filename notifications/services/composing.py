"""A delivery in words, as its channel takes it. No question to the database: what a reader's links need is handed in."""

import uuid
from collections.abc import Callable

from django.urls import reverse

from notifications import kinds
from notifications.channels.seam import Letter
from notifications.kinds import Category, Channel, Kind
from notifications.mail_links import links_of
from notifications.models import Delivery
from notifications.rendering import mail_of, sources_of, text_of, words_of
from notifications.services.endpoints import secret_for
from notifications.services.results import message_id_of
from notifications.tracking import is_tracked, with_tracking, written_links


def compose(delivery: Delivery, *, link_version: int) -> Letter:
    """The letter a delivery becomes. Raises what a broken template or link makes Django raise, and `KindError`."""
    kind = kinds.get(delivery.message.kind)
    return _COMPOSERS[Channel(delivery.channel)](delivery, kind, link_version)


def _mail(delivery: Delivery, kind: Kind, link_version: int) -> Letter:
    links = links_of(delivery, kind, version=link_version)
    words, html = mail_of(delivery, kind, links)
    if is_tracked(kind):
        untracked = (links.preferences_url, links.unsubscribe_url)
        written = written_links(sources_of(delivery, kind))
        html = with_tracking(html, kind, handle=delivery.handle, untracked=untracked, written=written)
    return Letter(
        key=delivery.handle.hex,
        message_id=message_id_of(delivery),
        address=delivery.address,
        name=delivery.name,
        subject=words.subject,
        text=words.text,
        html=html,
        kind=kind.name,
        headers=links.headers,
    )


def _text(delivery: Delivery, kind: Kind, link_version: int) -> Letter:
    return Letter(
        key=delivery.handle.hex,
        address=delivery.address,
        name=delivery.name,
        subject="",
        text=text_of(delivery, kind),
        kind=kind.name,
    )


def _post(delivery: Delivery, kind: Kind, link_version: int) -> Letter:
    words = words_of(delivery, kind)
    return Letter(
        key=delivery.handle.hex,
        address=delivery.address,
        name="",
        subject=words.subject,
        text=words.text,
        kind=kind.name,
        about=delivery.message.about,
        values=delivery.message.context,
        secret=secret_for(uuid.UUID(delivery.params["endpoint"]), delivery.params["version"]),
    )


def _push(delivery: Delivery, kind: Kind, link_version: int) -> Letter:
    """The opening words; its page is the message in the inbox, of which its own handle is an address too."""
    words = words_of(delivery, kind, for_links="")
    return Letter(
        key=delivery.handle.hex,
        address=delivery.address,
        name="",
        subject=words.subject,
        text=opening_of(words.text),
        url=reverse("notifications:letter", args=[delivery.handle]),
        kind=kind.name,
        headers={"Urgency": _URGENCY[kind.category]},
        expires_at=delivery.message.expires_at,
    )


def opening_of(text: str) -> str:
    """The first paragraph of a text, without addresses of pages and without words that only lead up to what follows."""
    for paragraph in text.split("\n\n"):
        opening = " ".join(word for word in paragraph.split() if not word.startswith(("http://", "https://")))
        sentences, stop, last = opening.rpartition(". ")
        if last.endswith(":"):
            opening = sentences + stop.rstrip()
        if opening:
            return opening
    return ""


# RFC 8030 §5.3: how much of a battery it is worth.
_URGENCY = {Category.TRANSACTIONAL: "high", Category.SERVICE: "normal", Category.PROMOTIONAL: "low"}
_COMPOSERS: dict[Channel, Callable[[Delivery, Kind, int], Letter]] = {
    Channel.EMAIL: _mail,
    Channel.SMS: _text,
    Channel.WHATSAPP: _text,
    Channel.WEBHOOK: _post,
    Channel.PUSH: _push,
}
