"""SMS and WhatsApp by Twilio: the only place that sends there. Callbacks: `notifications.twilio_hooks`.

Stands on Twilio's SDK for addresses and parameters, with a transport of our own (`twilio_http.py`). A message is sent
once: Twilio has no key that would make a second request harmless. Where the answer is lost, it is looked for among the
messages to its number, and its status callback, whose address names the delivery, tells by itself.
"""

import datetime as dt
import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.rest import Client

from notifications.channels import twilio_codes as codes
from notifications.channels.seam import (
    TEXT_LIMIT,
    Answer,
    ChannelDown,
    Found,
    Happened,
    Letter,
    Outcome,
    Sought,
)
from notifications.channels.twilio_http import NoAnswerError, NotSentError, Transport
from notifications.segments_sms import segments_of

API = "https://api.twilio.com"
WHATSAPP = "whatsapp:"
PAGE = 100
MOST_LISTED = 2_000
"""Messages to one number that are looked through for a lost one."""
LONGEST_WAIT = dt.timedelta(hours=1)
# A message is looked for among those made at about the time it was given out; clocks may differ.
_EARLIEST, _LATEST = dt.timedelta(minutes=2), dt.timedelta(minutes=10)
# What the SDK raises for an answer of another shape than it expects.
_UNREADABLE = (NoAnswerError, TwilioException, ValueError, TypeError, AttributeError, KeyError)


class SmsSender:
    """A line to Twilio for text messages."""

    batch: ClassVar[int] = 10
    can_be_asked: ClassVar[bool] = True
    settles_after: ClassVar[dt.timedelta] = dt.timedelta(minutes=2)
    prefix: ClassVar[str] = ""

    def __init__(self) -> None:
        self._transport = Transport(settings.TWILIO_TIMEOUT_S)
        self._client = Client(
            settings.TWILIO_ACCOUNT_SID,
            settings.TWILIO_AUTH_TOKEN,
            http_client=self._transport,
            environment={"TWILIO_EDGE": ""},  # nothing out of the process's own
        )
        self._client.api.base_url = settings.TWILIO_BASE_URL

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.close()

    def hand_over(self, letters: Sequence[Letter]) -> Iterator[Answer]:
        """Send them one after another. Raises `ChannelDown`."""
        for letter in letters:
            yield self._send(letter)

    def find(self, sought: Sequence[Sought]) -> Mapping[str, Found]:
        """Those that Twilio has: to the number, with the text, from about the time they were given out.

        By number alone, because a message that still waits at Twilio has no time of sending to be found by. One that is
        known to be another letter is not taken for this one; two of the same text to one number that are both sought are
        told apart by their order. Raises `ChannelDown`.
        """
        found: dict[str, Found] = {}
        by_number: dict[str, list[Sought]] = {}
        for item in sought:
            by_number.setdefault(item.letter.address, []).append(item)
        for number, items in by_number.items():
            there = self._messages_to(number)
            for item in sorted(items, key=lambda item: item.sent_at):
                match = next(
                    (
                        message
                        for message in there
                        if message.sid not in item.others and _is_it(message, item)
                    ),
                    None,
                )
                if match is not None:
                    there.remove(match)
                    found[item.letter.key] = _found(match)
        return found

    def sender(self) -> dict[str, str]:
        """Who it is from, in the SDK's parameters."""
        if settings.TWILIO_MESSAGING_SERVICE_SID:
            return {"messaging_service_sid": settings.TWILIO_MESSAGING_SERVICE_SID}
        return {"from_": settings.TWILIO_FROM}

    def _send(self, letter: Letter) -> Answer:
        try:
            message = self._client.messages.create(
                to=self.prefix + letter.address, body=letter.text, **_callback(letter), **self.sender()
            )
        except NotSentError as error:
            raise ChannelDown("unreachable", str(error)) from error
        except (TwilioRestException, TwilioServiceException) as error:
            return self._refused(error)
        except _UNREADABLE as error:
            return Answer(Outcome.LOST, type(error).__name__[:32], _short(error), line_broke=True)
        if not message.sid:
            return Answer(Outcome.LOST, "unreadable", "an answer without an id", line_broke=True)
        if codes.happened(str(message.status), 0) is Happened.FAILED:
            return _of_code(message.error_code or 0, str(message.error_message or message.status))
        said = f"{message.status}, {segments_of(letter.text)}" if not self.prefix else str(message.status)
        return Answer(Outcome.ACCEPTED, str(message.status), said, str(message.sid))

    def _refused(self, error: Any) -> Answer:
        status, code = int(error.status), _number(error.code)
        text = str(getattr(error, "msg", "") or getattr(error, "detail", "") or error)[:TEXT_LIMIT]
        if status == 429 or codes.is_ours(code):
            raise ChannelDown(str(code), text, retry_after=self._wait()) from error
        if status >= 500 or status == 408:
            return Answer(Outcome.LOST, str(code), text, line_broke=True)
        if status in (401, 404) or (status == 403 and not _is_of_messages(code)) or status < 400:
            raise ChannelDown(str(code), text, retry_after=self._wait()) from error
        return _of_code(code, text)

    def _wait(self) -> dt.timedelta | None:
        """What `Retry-After` asks for."""
        said = self._transport.headers.get("retry-after", "")
        if not (said.isascii() and said.isdigit()):
            return None
        return min(dt.timedelta(seconds=int(said[:6])), LONGEST_WAIT)

    def _messages_to(self, number: str) -> list[Any]:
        try:
            listed: Iterable[Any] = self._client.messages.stream(
                to=self.prefix + number, page_size=PAGE, limit=MOST_LISTED
            )
            messages = list(listed)
        except NotSentError as error:
            raise ChannelDown("unreachable", str(error)) from error
        except (TwilioRestException, TwilioServiceException) as error:
            raise ChannelDown(str(error.code), str(error), retry_after=self._wait()) from error
        except _UNREADABLE as error:
            raise ChannelDown(type(error).__name__[:32], _short(error)) from error
        if len(messages) >= MOST_LISTED:
            raise ChannelDown("too many", "more messages to this number than are looked through")
        return [message for message in messages if message.direction != "inbound"]


class WhatsAppSender(SmsSender):
    """The same by WhatsApp: within 24 hours of what a person wrote, which is all that goes without approved templates."""

    prefix: ClassVar[str] = WHATSAPP

    def sender(self) -> dict[str, str]:
        return {"from_": WHATSAPP + settings.TWILIO_WHATSAPP_FROM.removeprefix(WHATSAPP)}


def _of_code(code: int, text: str) -> Answer:
    return Answer(
        Outcome.PERMANENT,
        str(code),
        text[:TEXT_LIMIT],
        bad_address=codes.is_dead_number(code),
        opted_out=code == codes.STOPPED,
    )


def _is_of_messages(code: int) -> bool:
    """Whether a code speaks of one message (21xxx, 30xxx, 63xxx) and not of who asks."""
    return code // 1_000 in (21, 30, 63)


def _is_it(message: Any, item: Sought) -> bool:
    made, body = message.date_created, str(message.body or "")
    if not isinstance(made, dt.datetime) or not item.sent_at - _EARLIEST <= made <= item.sent_at + _LATEST:
        return False
    # Trial accounts put a sentence of Twilio's in front.
    return body.strip().endswith(item.letter.text.strip())


def _found(message: Any) -> Found:
    code = _number(message.error_code)
    happened = codes.happened(str(message.status), code) or Happened.ACCEPTED
    if happened is Happened.OPENED:
        happened = Happened.DELIVERED
    return Found(happened, str(message.sid), str(code or message.status), str(message.error_message or ""))


def _callback(letter: Letter) -> dict[str, str]:
    """Where Twilio tells what becomes of it; it refuses addresses that it can't reach, as those of one's own computer."""
    host = urlsplit(settings.SITE_URL).hostname or ""
    if settings.TWILIO_BASE_URL == API and _is_local(host):
        return {}
    return {"status_callback": settings.SITE_URL + reverse("notifications:twilio_status", args=[letter.key])}


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False


def _number(code: object) -> int:
    text = str(code)
    return int(text) if text.isascii() and text.isdigit() else 0


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:TEXT_LIMIT]
