"""Kinds of message: what the site can say, to whom, and by which channels.

An app declares the kinds it owns in a `kinds.py` of its own and registers them in `AppConfig.ready()`.
Nothing here names an app above: a kind brings its audience along as a function that returns a query.

The words stand in templates named after the kind, and are rendered in the recipient's language and zone:

    templates/notifications/<kind>.subject.txt    one line
    templates/notifications/<kind>.txt            the text: inbox, and text part of an e-mail
    templates/notifications/<kind>.html           optional; otherwise made from the text
    templates/notifications/<kind>.sms.txt        what goes to telephones, where the kind does; as short as it can be

They see the kind's `variables`, `params` and `links`, and the names in `STANDARD_VARIABLES`. Staff may put words of
their own in their place (`notifications/overrides.py`).
"""

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import models
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    from notifications.models import Delivery, Message

_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
NAME_LIMIT = 80

# What a message may carry: what JSON holds, plus times, which are kept as ISO 8601 and come back as times.
VARIABLE_TYPES: tuple[type, ...] = (str, int, bool, list, dict, dt.datetime, dt.date)
# Every template knows these: the recipient's name ("" where unknown), the site, and the message's own address
# in the inbox ("" for a person without an account).
STANDARD_VARIABLES = ("name", "site_name", "site_url", "inbox_url")
# Of the foot of mails, in the layout alone; the second is "" for kinds that can't be switched off.
FOOT_VARIABLES = ("preferences_url", "unsubscribe_url")
# Of the mail layout: the rendered subject, the text, the line that clients show beside the subject, and HTML of staff.
_RESERVED = frozenset({*STANDARD_VARIABLES, *FOOT_VARIABLES, "subject", "text", "preheader", "content_html"})

# Variables of a kind whose messages bring their own words: each its type.
BROUGHT: Mapping[str, type] = {"words": dict, "channels": list, "occasion": str, "values": dict}


class KindError(Exception):
    """A kind is declared wrongly, declared twice, or not at all."""


class Category(models.TextChoices):
    """How much a person may say about being told."""

    TRANSACTIONAL = "transactional", _("transactional")  # account, money, prizes won: cannot be switched off
    SERVICE = "service", _("service")  # on by default, one click stops it
    PROMOTIONAL = "promotional", _("promotional")  # opt-in


class Channel(models.TextChoices):
    """By which road."""

    IN_APP = "in_app", _("inbox")
    EMAIL = "email", _("e-mail")
    SMS = "sms", _("SMS")
    WHATSAPP = "whatsapp", _("WhatsApp")
    WEBHOOK = "webhook", _("webhook")
    PUSH = "push", _("push message")


BY_PHONE = (Channel.SMS, Channel.WHATSAPP)
"""Channels whose addresses are telephone numbers (E.164)."""


class Reach(models.TextChoices):
    """Whom of the audience a channel serves."""

    EVERYONE = "everyone", _("everyone")
    OUTSIDERS = "outsiders", _("people without an account")


@dataclass(frozen=True)
class Kind:
    """One kind of message.

    `variables` are the names and types of a message's context. `params` are those of the values that differ
    from person to person and come out of the recipients query. `links` make addresses with a token in them
    from a delivery; they are called when it is rendered, so that no token is ever stored.

    What is `irrevocable` is evidence in its readers' hands: nobody takes it back, and the site itself only before
    anybody has it. A kind `for_staff` is told to those who run the site, and stands in nobody's preferences.
    What `reaches_erased` goes to an address alone and guards the account that is there now, also where an earlier one was erased.
    Of a kind with `fixed_words` nobody writes others.
    A kind that `brings_words` has them in each message, written by staff for it alone: its values hold `words` by language (the
    first one is for everybody else), `channels`, and the `values` that the words know, of the `occasion` called so.
    What `about_is_once` is about something that no other message is ever about: to stop only that would stop nothing.

    `recipients(message)` is a query in the shape of `notifications.recipients`; None (the answer, or the
    function) when such messages only ever name their recipients. Raises `KindError`.
    """

    name: str
    title: "str | _StrPromise"
    category: Category
    channels: Mapping[Channel, Reach]
    variables: Mapping[str, type] = field(default_factory=dict)
    recipients: "Callable[[Message], models.QuerySet[Any, Any] | None] | None" = None
    params: Mapping[str, type] = field(default_factory=dict)
    links: "Mapping[str, Callable[[Delivery], str]]" = field(default_factory=dict)
    irrevocable: bool = False
    for_staff: bool = False
    reaches_erased: bool = False
    fixed_words: bool = False
    brings_words: bool = False
    about_is_once: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or len(self.name) > NAME_LIMIT:
            raise KindError(f"{self.name!r} is no kind: it should read like `draws.winner_announcement`")
        if self.category not in Category.values:
            raise KindError(f"{self.name}: {self.category!r} is no category")
        if not self.channels:
            raise KindError(f"{self.name} goes out by no channel")
        for channel, reach in self.channels.items():
            if channel not in Channel.values or reach not in Reach.values:
                raise KindError(f"{self.name}: {channel!r} → {reach!r} is no channel and reach")
        if self.channels.get(Channel.IN_APP) == Reach.OUTSIDERS:
            raise KindError(f"{self.name}: people without an account have no inbox")
        if self.channels.get(Channel.PUSH) == Reach.OUTSIDERS:
            raise KindError(f"{self.name}: people without an account have no device here")
        if Channel.WEBHOOK in self.channels and (self.links or self.params):
            raise KindError(f"{self.name}: what is told by webhook is nobody's own: no links, no params")
        names = [*self.variables, *self.params, *self.links]
        for name in names:
            if not name.isidentifier() or name.startswith("_") or name in _RESERVED:
                raise KindError(f"{self.name}: {name!r} can't be the name of a variable")
        if len(names) != len(set(names)):
            raise KindError(f"{self.name}: a name stands twice among variables, params and links")
        if self.brings_words and not set(BROUGHT) <= set(self.variables):
            raise KindError(f"{self.name}: what brings its words declares {', '.join(BROUGHT)}")
        for name, variable_type in (*self.variables.items(), *self.params.items()):
            if variable_type not in VARIABLE_TYPES:
                raise KindError(
                    f"{self.name}: {name} can't be a {variable_type!r}; money is a formatted text"
                )

    @property
    def stops_by_thing(self) -> bool:
        """Whether its readers may stop it about one thing and still hear of others."""
        return self.category == Category.SERVICE and not self.about_is_once

    @property
    def subject_template(self) -> str:
        """Name of the template of its subject."""
        return f"notifications/{self.name}.subject.txt"

    @property
    def text_template(self) -> str:
        """Name of the template of its text."""
        return f"notifications/{self.name}.txt"

    @property
    def html_template(self) -> str:
        """Name of the template of its HTML, which need not exist."""
        return f"notifications/{self.name}.html"

    @property
    def sms_template(self) -> str:
        """Name of the template of what is said by SMS and WhatsApp."""
        return f"notifications/{self.name}.sms.txt"

    @property
    def goes_to_phones(self) -> bool:
        """Whether it is told by SMS or WhatsApp at all."""
        return any(channel in self.channels for channel in BY_PHONE)


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> Kind:
    """Make `kind` known; returns it. Raises `KindError` when another kind has its name."""
    if _kinds.setdefault(kind.name, kind) is not kind:
        raise KindError(f"the kind {kind.name} is registered twice")
    return kind


def get(name: str) -> Kind:
    """The kind called `name`. Raises `KindError`."""
    try:
        return _kinds[name]
    except KeyError:
        raise KindError(f"no app registers the kind {name!r}") from None


def all_kinds() -> Iterator[Kind]:
    """Every registered kind, by name."""
    return iter([_kinds[name] for name in sorted(_kinds)])


def names_of(category: Category) -> list[str]:
    """Names of the kinds of one category."""
    return [kind.name for kind in all_kinds() if kind.category == category]


def irrevocable_names() -> list[str]:
    """Names of the kinds that nobody takes back."""
    return [kind.name for kind in all_kinds() if kind.irrevocable]
