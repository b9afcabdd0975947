"""Messages to other programs: signed Standard Webhooks for any address, and the tongues of Discord and Telegram.

Addresses are typed by people, so each is asked only on the open net (`outside.py`), and no redirect is followed.
"""

import datetime as dt
import http.client
import json
import string
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import SplitResult, parse_qs, quote

import urllib3
from django.conf import settings
from urllib3.connection import HTTPConnection

from notifications.channels import outside
from notifications.channels.outside import LOOKUP_S, AddressError, short
from notifications.channels.seam import TEXT_LIMIT, Answer, Found, Letter, Outcome, Sought
from notifications.standard_webhooks import signature

CONNECT_S, READ_S, WHOLE_S = 5.0, 10.0, 15.0
"""Seconds to be reached in, to say nothing in, and for all of it together."""
DISCORD_HOSTS = frozenset({"discord.com", "canary.discord.com", "ptb.discord.com", "discordapp.com"})
TELEGRAM_HOST = "api.telegram.org"
DISCORD_LIMIT, TELEGRAM_LIMIT = 2_000, 4_096
"""Characters of one message there."""
ANSWER_BYTES = 4_096
_GONE = frozenset({404, 410})
_TRY_AGAIN = frozenset({408, 425, 429})
_LONGEST_WAIT = dt.timedelta(hours=1)


class WebhookSender:
    """Posts to whoever subscribed, one after another."""

    batch: ClassVar[int] = 1
    can_be_asked: ClassVar[bool] = False
    settles_after: ClassVar[dt.timedelta] = dt.timedelta(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def hand_over(self, letters: Sequence[Letter]) -> Iterator[Answer]:
        """Post each. A receiver that is away is no reason to hold back others, so `ChannelDown` is never raised."""
        for letter in letters:
            yield self._post(letter)

    def find(self, sought: Sequence[Sought]) -> Mapping[str, Found]:
        """Nothing: a receiver can't be asked. It knows a repetition by its `webhook-id`."""
        return {}

    def _post(self, letter: Letter) -> Answer:
        until = time.monotonic() + WHOLE_S
        try:
            parts = checked(letter.address)
            number = outside.number_of(parts, inside=settings.WEBHOOKS_INSIDE, within=LOOKUP_S)
        except AddressError as error:
            return Answer(Outcome.PERMANENT, "address", str(error))
        except OSError as error:
            return Answer(Outcome.TEMPORARY, "lookup", short(error))
        line = outside.line_to(parts, number)
        try:
            outside.connect(line, until=until, at_most=CONNECT_S)
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as error:
            return Answer(Outcome.TEMPORARY, "connect", short(error))
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return Answer(Outcome.TEMPORARY, "line", short(error))
        try:
            with outside.cut_at(line, until=until, silence=READ_S):
                return _told(line, letter, parts)
        except ValueError as error:  # it can't be said
            return Answer(Outcome.TEMPORARY, "line", short(error))
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            return Answer(Outcome.LOST, "line", short(error))
        finally:
            line.close()


def _told(line: HTTPConnection, letter: Letter, parts: SplitResult) -> Answer:
    body, headers = _dressed(letter, parts)
    headers |= {"Host": parts.netloc, "Content-Type": "application/json", "User-Agent": "Fairground"}
    line.request("POST", _target(parts), body=body, headers=headers, preload_content=False)
    answer = line.getresponse()
    text = ""
    # How it goes on after its status changes nothing: a receiver that heard may be slow to say more.
    with suppress(urllib3.exceptions.HTTPError, http.client.HTTPException, OSError):
        text = answer.read(ANSWER_BYTES, decode_content=True).decode(errors="replace")
    return _answer_of(answer.status, dict(answer.headers), text)


def checked(address: str) -> SplitResult:
    """The parts of an address that may be posted to. Raises `AddressError`."""
    parts = outside.checked(address, inside=settings.WEBHOOKS_INSIDE)
    if parts.hostname == TELEGRAM_HOST and "chat_id" not in parse_qs(parts.query):
        raise AddressError(
            "Write Telegram's address like https://api.telegram.org/bot…/sendMessage?chat_id=…."
        )
    return parts


def _target(parts: SplitResult) -> str:
    query = "" if parts.hostname == TELEGRAM_HOST else parts.query
    return quote((parts.path or "/") + (f"?{query}" if query else ""), safe=string.punctuation)


def _dressed(letter: Letter, parts: SplitResult) -> tuple[bytes, dict[str, str]]:
    """Body and headers, in the tongue of the receiver."""
    if parts.hostname in DISCORD_HOSTS:
        # Nobody is pinged by what somebody put into a draw's title.
        return _json({"content": _plain(letter, DISCORD_LIMIT), "allowed_mentions": {"parse": []}}), {}
    if parts.hostname == TELEGRAM_HOST:
        chat = parse_qs(parts.query)["chat_id"][0]
        return _json({"chat_id": chat, "text": _plain(letter, TELEGRAM_LIMIT)}), {}
    now = int(time.time())
    body = _json(
        {
            "type": letter.kind,
            "timestamp": dt.datetime.fromtimestamp(now, dt.UTC).isoformat().replace("+00:00", "Z"),
            "data": {
                "about": letter.about,
                "subject": letter.subject,
                "text": letter.text,
                "values": letter.values,
            },
        }
    )
    return body, {
        "webhook-id": letter.key,
        "webhook-timestamp": str(now),
        "webhook-signature": signature(secret=letter.secret, message_id=letter.key, timestamp=now, body=body),
    }


def _plain(letter: Letter, limit: int) -> str:
    text = f"{letter.subject}\n\n{letter.text}".strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _answer_of(status: int, headers: Mapping[str, str], text: str) -> Answer:
    code, said = str(status), text[:TEXT_LIMIT].replace("\0", "")
    if 200 <= status < 300:
        return Answer(Outcome.ACCEPTED, code, said)
    if status in _GONE:
        return Answer(Outcome.PERMANENT, code, said, bad_address=True)
    if status >= 500 or status in _TRY_AGAIN:
        return Answer(Outcome.TEMPORARY, code, said, retry_after=_wait(headers, text))
    return Answer(Outcome.PERMANENT, code, said)


def _wait(headers: Mapping[str, str], text: str) -> dt.timedelta | None:
    """How long the receiver asks to wait: by its header, or as Discord and Telegram put it into the body. At most an hour."""
    lower = {name.lower(): value for name, value in headers.items()}
    candidates: list[Any] = [lower.get("retry-after")]
    try:
        told = json.loads(text)
        candidates += [told.get("retry_after"), (told.get("parameters") or {}).get("retry_after")]
    except (ValueError, AttributeError, RecursionError):
        pass
    for candidate in candidates:
        try:
            seconds = float(candidate)
        except (TypeError, ValueError, OverflowError):
            continue
        if seconds > 0:
            return min(dt.timedelta(seconds=seconds), _LONGEST_WAIT) if seconds < 1e6 else _LONGEST_WAIT
    return None
