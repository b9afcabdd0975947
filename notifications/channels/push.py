"""Push messages to browsers: encrypted for each device (RFC 8291), signed by the site's key (RFC 8292), over RFC 8030.

A push service is whatever host a browser names, so each is asked only on the open net (`outside.py`), for so long and no
longer. A message goes to all devices of a person; one that took it is enough. A repetition has the same topic, by which
the push service replaces what still waits there, and the same tag, by which the device replaces what it shows: it does no
harm, so whatever answer was lost is sent again.
"""

import datetime as dt
import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import SplitResult

import structlog
import urllib3
from django.conf import settings
from py_vapid import Vapid02, VapidException
from pywebpush import WebPusher, WebPushException
from urllib3.connection import HTTPConnection

from notifications.channels import outside
from notifications.channels.outside import AddressError, short
from notifications.channels.seam import (
    TEXT_LIMIT,
    Answer,
    ChannelDown,
    Device,
    Found,
    Letter,
    Outcome,
    Sought,
)
from notifications.vapid import SUBJECT, public_key_of

log = structlog.get_logger(__name__)

TIMEOUT_S, WHOLE_S = 5.0, 10.0
"""Seconds in which one says something, and that a letter takes in all, for however many devices it is and however busily the
other end of a line drips."""
TITLE_LIMIT, BODY_LIMIT = 120, 240
"""Characters. In the longest of scripts both, with the rest, stay far below `PAYLOAD_BYTES`."""
PAYLOAD_BYTES = 3_993
"""What fits into the 4,096 bytes that each push service has to take (RFC 8291 §4)."""
LONGEST = dt.timedelta(days=28)
"""No push service keeps a message longer."""
USUAL = dt.timedelta(days=3)
"""How long a message waits for a device that is off, where it does not say until when it is of use."""
TOKEN_HOLDS = dt.timedelta(hours=12)
"""RFC 8292 §2 allows 24 hours."""
ANSWER_BYTES = 1_024
_GONE = frozenset({404, 410})
_TRY_AGAIN = frozenset({408, 425, 429})
_LONGEST_WAIT = dt.timedelta(hours=1)


@dataclass(frozen=True)
class _Heard:
    """What became of it at one device."""

    outcome: Outcome
    code: str
    text: str = ""
    retry_after: dt.timedelta | None = None
    is_gone: bool = False


class PushSender:
    """A line to the push services: some letters at a time, each to the devices it names."""

    batch: ClassVar[int] = 8
    can_be_asked: ClassVar[bool] = True  # never really: see `find`
    settles_after: ClassVar[dt.timedelta] = dt.timedelta(0)

    def __init__(self) -> None:
        self._workers = ThreadPoolExecutor(max_workers=self.batch, thread_name_prefix="push")
        self._here = threading.local()
        self._lines: list[HTTPConnection] = []
        self._tokens: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._workers.shutdown(cancel_futures=True)
        for line in self._lines:
            line.close()

    def hand_over(self, letters: Sequence[Letter]) -> Iterator[Answer]:
        """Tell the devices of each. Raises `ChannelDown` where key or subject of the site can't be used; otherwise never:
        one push service that is away is no reason to hold back the others."""
        try:
            public_key_of(settings.VAPID_PRIVATE_KEY)
        except ValueError as error:
            raise ChannelDown("key", f"VAPID_PRIVATE_KEY: {error}") from None
        if not SUBJECT.fullmatch(settings.VAPID_SUBJECT):
            raise ChannelDown("subject", "VAPID_SUBJECT names nobody whom push services could write to.")
        yield from self._workers.map(self._tell, letters)

    def find(self, sought: Sequence[Sought]) -> Mapping[str, Found]:
        """Nothing: push services can't be asked, and need not be. What is absent is sent again, which replaces the first."""
        return {}

    def _tell(self, letter: Letter) -> Answer:
        until = time.monotonic() + WHOLE_S
        heard: dict[int, _Heard] = {}
        for rest, device in zip(range(len(letter.devices), 0, -1), letter.devices, strict=True):
            now = time.monotonic()
            # One that never answers leaves two thirds of the time to those after it.
            heard[device.id] = self._surely_post(letter, device, now + (until - now) / min(rest, 3))
        took = tuple(key for key, one in heard.items() if one.outcome == Outcome.ACCEPTED)
        gone = tuple(key for key, one in heard.items() if one.is_gone)
        if not heard:
            return Answer(Outcome.PERMANENT, "no device", "No device of theirs takes push messages any more.")
        best = min(heard.values(), key=_rank)
        text = f"{len(took)} of {len(heard)} devices" if took else best.text
        return Answer(
            best.outcome,
            best.code,
            text,
            retry_after=best.retry_after,
            took=took,
            gone=gone,
        )

    def _surely_post(self, letter: Letter, device: Device, until: float) -> _Heard:
        """What a push service says is whatever its owner likes: one that breaks us costs no other letter its turn."""
        try:
            return self._post(letter, device, until)
        except Exception as error:
            log.exception("push_failed", device=device.id, key=letter.key)
            return _Heard(Outcome.TEMPORARY, "error", type(error).__name__)

    def _post(self, letter: Letter, device: Device, until: float) -> _Heard:
        try:
            parts = outside.checked(device.endpoint, inside=settings.PUSH_INSIDE)
            keys = {"p256dh": device.p256dh, "auth": device.auth}
            pusher = WebPusher({"endpoint": device.endpoint, "keys": keys})
            body = bytes(pusher.encode(payload_of(letter), content_encoding="aes128gcm")["body"])
            headers = self._headers(letter, parts)
            line = self._line(parts, until)
        except AddressError as error:
            return _Heard(Outcome.PERMANENT, "address", str(error))
        except OSError as error:
            return _Heard(Outcome.TEMPORARY, "lookup", short(error))
        except (WebPushException, VapidException, ValueError) as error:
            return _Heard(Outcome.PERMANENT, "keys", type(error).__name__)
        try:
            outside.connect(line, until=until, at_most=TIMEOUT_S)
            with outside.cut_at(line, until=until, silence=TIMEOUT_S):
                line.request("POST", _target(parts), body=body, headers=headers, preload_content=False)
                answer = line.getresponse()
                text = answer.read(ANSWER_BYTES).decode(errors="replace")
            if text or answer.status >= 300:
                line.close()  # there may be more of it, which nobody waits for
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            line.close()
            return _Heard(Outcome.TEMPORARY, "line", short(error))
        return _heard_of(answer.status, answer.headers, text)

    def _line(self, parts: SplitResult, until: float) -> HTTPConnection:
        """This thread's own connection to a host, to the number that was found for it the first time."""
        lines: dict[str, HTTPConnection] = self._here.__dict__.setdefault("lines", {})
        if parts.netloc not in lines:
            within = min(TIMEOUT_S, (until - time.monotonic()) / 2)
            line = outside.line_to(
                parts, outside.number_of(parts, inside=settings.PUSH_INSIDE, within=within)
            )
            lines[parts.netloc] = line
            self._lines.append(line)
        return lines[parts.netloc]

    def _headers(self, letter: Letter, parts: SplitResult) -> dict[str, str]:
        now = dt.datetime.now(dt.UTC)
        left = letter.expires_at - now if letter.expires_at is not None else USUAL
        seconds = int(max(dt.timedelta(0), min(left, LONGEST)).total_seconds())
        return {
            **letter.headers,
            "Host": parts.netloc,
            "Authorization": self._token(f"{parts.scheme}://{parts.netloc}", now),
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "aes128gcm",
            "TTL": str(seconds),
            "Topic": letter.key,  # 32 characters of base64url are as many as there may be
            "User-Agent": "Fairground",
        }

    def _token(self, audience: str, now: dt.datetime) -> str:
        """Who we are, for that push service alone; the same as long as this line lives."""
        if audience not in self._tokens:
            claims = {
                "aud": audience,
                "exp": int((now + TOKEN_HOLDS).timestamp()),
                "sub": settings.VAPID_SUBJECT,
            }
            vapid = Vapid02.from_raw(settings.VAPID_PRIVATE_KEY.encode())
            self._tokens[audience] = vapid.sign(claims)["Authorization"]
        return self._tokens[audience]


def payload_of(letter: Letter) -> bytes:
    """What the service worker is told: JSON of less than `PAYLOAD_BYTES`."""
    said = {
        "title": shortened(letter.subject, TITLE_LIMIT),
        "body": shortened(letter.text, BODY_LIMIT),
        "url": letter.url,
        "tag": letter.key,
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def shortened(text: str, limit: int) -> str:
    """The first `limit` characters, ended at a word where one ends near, on one line."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    words = cut.rpartition(" ")[0]
    return (words if len(words) > limit * 3 // 4 else cut).rstrip(" ,;:–—-") + "…"


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _rank(heard: _Heard) -> int:
    """One that took it counts; else one that may yet; else one that refused; those that are gone last."""
    return {Outcome.ACCEPTED: 0, Outcome.TEMPORARY: 1}.get(heard.outcome, 3 if heard.is_gone else 2)


def _heard_of(status: int, headers: Mapping[str, Any], text: str) -> _Heard:
    code, said = str(status), text[:TEXT_LIMIT].replace("\0", "")
    if 200 <= status < 300:
        return _Heard(Outcome.ACCEPTED, code)
    if status in _GONE:
        return _Heard(Outcome.PERMANENT, code, said, is_gone=True)
    if status >= 500 or status in _TRY_AGAIN:
        return _Heard(Outcome.TEMPORARY, code, said, retry_after=_wait(str(headers.get("Retry-After", ""))))
    return _Heard(Outcome.PERMANENT, code, said)


def _wait(said: str) -> dt.timedelta | None:
    """How long to wait, as a number of seconds or as a date; at most an hour."""
    if said.isascii() and said.isdigit():
        return min(dt.timedelta(seconds=int(said[:6])), _LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(said)
    except (ValueError, OverflowError):
        return None
    left = at.replace(tzinfo=at.tzinfo or dt.UTC) - dt.datetime.now(dt.UTC)
    return min(left, _LONGEST_WAIT) if left > dt.timedelta(0) else None
