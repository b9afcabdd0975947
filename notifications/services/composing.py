"""A delivery in words, as its channel takes it. No question to the database: what a reader's links need is handed in."""

import uuid
from collections.abc import Callable

from notifications import kinds
from notifications.channels.seam import Letter
from notifications.kinds import Channel, Kind
from notifications.mail_links import links_of
from notifications.models import Delivery
from notifications.rendering import mail_of, text_of, words_of
from notifications.services.endpoints import secret_for
from notifications.services.results import message_id_of
from notifications.tracking import is_tracked, with_tracking


def compose(delivery: Delivery, *, link_version: int) -> Letter:
    """The letter a delivery becomes. Raises what a broken template or link makes Django raise, and `KindError`."""
    kind = kinds.get(delivery.message.kind)
    return _COMPOSERS[Channel(delivery.channel)](delivery, kind, link_version)


def _mail(delivery: Delivery, kind: Kind, link_version: int) -> Letter:
    links = links_of(delivery, kind, version=link_version)
    words, html = mail_of(delivery, kind, links)
    if is_tracked(kind):
        untracked = (links.preferences_url, links.unsubscribe_url)
        html = with_tracking(html, kind, handle=delivery.handle, untracked=untracked)
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


_COMPOSERS: dict[Channel, Callable[[Delivery, Kind, int], Letter]] = {
    Channel.EMAIL: _mail,
    Channel.SMS: _text,
    Channel.WHATSAPP: _text,
    Channel.WEBHOOK: _post,
}
