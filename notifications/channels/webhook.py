"""Messages to other programs: signed Standard Webhooks for any address, and the tongues of Discord and Telegram.

Addresses are typed by people, so each is looked up here and connected to by number: nothing inside the site's own network
is ever asked, whatever a name leads to at that moment, and no redirect is followed.
"""

import datetime as dt
import ipaddress
import json
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import SplitResult, parse_qs, urlsplit

import urllib3
from django.conf import settings

from notifications.channels.seam import TEXT_LIMIT, Answer, Found, Letter, Outcome, Sought
from notifications.standard_webhooks import signature

TIMEOUT = urllib3.Timeout(connect=5, read=10)
DISCORD_HOSTS = frozenset({"discord.com", "canary.discord.com", "ptb.discord.com", "discordapp.com"})
TELEGRAM_HOST = "api.telegram.org"
DISCORD_LIMIT, TELEGRAM_LIMIT = 2_000, 4_096
"""Characters of one message there."""
ANSWER_BYTES = 4_096
_GONE = frozenset({404, 410})
_TRY_AGAIN = frozenset({408, 425, 429})
_LONGEST_WAIT = dt.timedelta(hours=1)


class AddressError(ValueError):
    """Nothing may be sent to this address. The message says what to do."""


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
        try:
            parts = checked(letter.address)
            number = _number_of(parts)
        except AddressError as error:
            return Answer(Outcome.PERMANENT, "address", str(error))
        except OSError as error:
            return Answer(Outcome.TEMPORARY, "lookup", _short(error))
        body, headers = _dressed(letter, parts)
        pool = _pool(parts, number)
        try:
            answer = pool.request(
                "POST",
                _target(parts),
                body=body,
                headers={
                    **headers,
                    "Host": parts.netloc,
                    "Content-Type": "application/json",
                    "User-Agent": "Fairground",
                },
                redirect=False,
                retries=False,
                preload_content=False,
            )
            text = answer.read(ANSWER_BYTES, decode_content=True).decode(errors="replace")
            answer.close()
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as error:
            return Answer(Outcome.TEMPORARY, "connect", _short(error))
        except (urllib3.exceptions.SSLError, UnicodeError, ValueError) as error:
            return Answer(Outcome.TEMPORARY, "line", _short(error))
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return Answer(Outcome.LOST, "line", _short(error))
        finally:
            pool.close()
        return _answer_of(answer.status, dict(answer.headers), text)


def checked(address: str) -> SplitResult:
    """The parts of an address that may be posted to. Raises `AddressError`."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise AddressError("This is no address of the web. Copy it whole, from https:// on.") from None
    if parts.scheme != "https" and not (settings.WEBHOOKS_INSIDE and parts.scheme == "http"):
        raise AddressError("The address has to begin with https://.")
    if not parts.hostname or parts.username or parts.password or parts.fragment:
        raise AddressError("Write a host and a path, without a user, a password or a #.")
    if not settings.WEBHOOKS_INSIDE and port not in (None, 443):
        raise AddressError("Only port 443 may be named.")
    if parts.hostname == TELEGRAM_HOST and "chat_id" not in parse_qs(parts.query):
        raise AddressError(
            "Write Telegram's address like https://api.telegram.org/bot…/sendMessage?chat_id=…."
        )
    return parts


def _number_of(parts: SplitResult) -> str:
    """The first number of the host, when all of its numbers are on the open net. Raises `AddressError` and OSError."""
    assert parts.hostname is not None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    numbers = [str(entry[4][0]) for entry in found]
    if not settings.WEBHOOKS_INSIDE:
        for number in numbers:
            if not _is_outside(number):
                raise AddressError("The host is inside a private network. Name one on the open net.")
    return numbers[0]


def _is_outside(number: str) -> bool:
    address = ipaddress.ip_address(number.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    return address.is_global and not address.is_multicast and (mapped is None or bool(mapped.is_global))


def _pool(parts: SplitResult, number: str) -> urllib3.HTTPConnectionPool:
    """A connection to exactly that number, which still has to show the certificate of the name."""
    if parts.scheme == "http":
        return urllib3.HTTPConnectionPool(number, parts.port or 80, timeout=TIMEOUT, maxsize=1)
    return urllib3.HTTPSConnectionPool(
        number,
        parts.port or 443,
        timeout=TIMEOUT,
        maxsize=1,
        server_hostname=parts.hostname,
        assert_hostname=parts.hostname,
    )


def _target(parts: SplitResult) -> str:
    query = "" if parts.hostname == TELEGRAM_HOST else parts.query
    return (parts.path or "/") + (f"?{query}" if query else "")


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
    except (ValueError, AttributeError):
        pass
    for candidate in candidates:
        try:
            seconds = float(candidate)
        except (TypeError, ValueError):
            continue
        if seconds > 0:
            return min(dt.timedelta(seconds=seconds), _LONGEST_WAIT) if seconds < 1e6 else _LONGEST_WAIT
    return None


def _short(error: Exception) -> str:
    """Never the address: whoever has that of a chat's webhook may write there."""
    reason = getattr(error, "reason", None) or error.__cause__
    return type(reason or error).__name__
