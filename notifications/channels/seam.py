"""What every channel is to the outbox: it takes letters, answers for each, and may be asked later what became of one.

A channel is one outside system behind one class. It knows nothing of deliveries, consent or the database.
"""

import datetime as dt
import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self

TEXT_LIMIT = 500  # characters of a provider's answer that are worth keeping


class Outcome(enum.Enum):
    """What became of one letter when it was handed over."""

    ACCEPTED = "accepted"
    TEMPORARY = "temporary"  # not accepted now; try again
    PERMANENT = "permanent"  # will never be accepted
    LOST = "lost"  # perhaps accepted: the line broke before the answer


class Happened(enum.StrEnum):
    """What a provider tells of a letter afterwards, by a callback or when it is asked."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    DELIVERED = "delivered"
    FAILED = "failed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    OPENED = "opened"
    CLICKED = "clicked"


@dataclass(frozen=True)
class Answer:
    """What the provider said.

    `line_broke`: not about this letter, the line to the provider failed. `retry_after`: do not ask again before.
    `bad_address`: the address takes nothing, now or ever (a hard bounce), so nothing is sent there any more.
    `took` and `gone`: ids of the letter's devices that took it, and of those that there are no more.
    `opted_out`: its owner told the provider to send nothing more (STOP).
    """

    outcome: Outcome
    code: str = ""
    text: str = ""
    provider_id: str = ""
    line_broke: bool = False
    retry_after: dt.timedelta | None = None
    bad_address: bool = False
    opted_out: bool = False
    took: tuple[int, ...] = ()
    gone: tuple[int, ...] = ()


@dataclass(frozen=True)
class Device:
    """A browser that takes push messages: where its push service takes them, and the keys by which it opens them."""

    id: int
    endpoint: str
    p256dh: str
    auth: str


@dataclass(frozen=True)
class Letter:
    """One message to one person, in words. `key` is our id of it: 32 hex digits, the same at each attempt.

    `html` and `subject` stay empty where a channel has none. `about` and `values` are what the message is made of, for
    programs; `secret` is what such a receiver checks our signature by. `url` is the page it is about; `devices` are those
    that are told at once, until `expires_at` at the latest.
    """

    key: str
    address: str
    name: str
    subject: str
    text: str
    html: str = ""
    url: str = ""
    kind: str = ""
    about: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    secret: str = ""
    message_id: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    expires_at: dt.datetime | None = None
    devices: Sequence[Device] = ()


@dataclass(frozen=True)
class Sought:
    """A letter whose answer was lost, and when it was given out.

    `others`: what the provider calls other letters to the same address, for providers that don't know ours by its key.
    """

    letter: Letter
    sent_at: dt.datetime
    others: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Found:
    """What the provider knows of a letter."""

    happened: Happened
    provider_id: str = ""
    code: str = ""
    text: str = ""


class ChannelDown(Exception):
    """The provider can't be reached, or lets nobody in: nothing of what is left was tried."""

    def __init__(self, code: str, text: str, *, retry_after: dt.timedelta | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text[:TEXT_LIMIT]
        self.retry_after = retry_after


class Sender(Protocol):
    """A line to a provider: `with SomeSender() as sender: for answer in sender.hand_over(letters): …`."""

    batch: ClassVar[int]
    """Letters that are given out together: as many are in doubt when a worker dies."""
    can_be_asked: ClassVar[bool]
    """Whether `find` can tell what became of a letter, so that none is ever sent twice on suspicion."""
    settles_after: ClassVar[dt.timedelta]
    """How long after handing over the provider surely shows a letter that it has."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def hand_over(self, letters: Sequence[Letter]) -> Iterator[Answer]:
        """One answer a letter, in their order, as soon as it is known. Raises `ChannelDown` before the first one not tried."""
        ...

    def find(self, sought: Sequence[Sought]) -> Mapping[str, Found]:
        """What the provider knows of these, by their keys; what it does not have is left out. Raises `ChannelDown`."""
        ...
