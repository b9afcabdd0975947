"""Mailgun: up to 500 letters in one request, each with its own words, and a question afterwards for what got lost.

The request is a batch of Mailgun's: subject, text, HTML and heads are variables (`%recipient.text%`), and each recipient's
own stand in `recipient-variables`, by address. So no address may stand twice in a request, and all its letters have the same
heads. Anymail speaks to Mailgun for the mails of sign-in (`EMAIL_BACKEND`); for batches it hides what has to be known
here, whether a request that failed may have been taken.

- A POST is never repeated on suspicion. Mailgun has been seen to answer 5xx and send all the same, so that such an answer is as
  lost as none at all, and Mailgun is asked later (`find`).
- A refused batch (400) says not whom it was refused for: it is halved until the one is found.
- What concerns all letters (key, domain, quota, too many requests) is `ChannelDown`: nobody's letter fails for it.

Fields: documentation.mailgun.com, "Messages" and "Events".
"""

import datetime as dt
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ssl import SSLCertVerificationError
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import quote, urlencode, urlsplit

import structlog
import urllib3
from django.conf import settings
from urllib3 import exceptions as failures

from notifications.channels.addresses import is_one_address, named_address
from notifications.channels.mailgun_events import KEY_VARIABLE, best_of, key_of, seconds
from notifications.channels.seam import TEXT_LIMIT, Answer, ChannelDown, Found, Letter, Outcome, Sought

log = structlog.get_logger(__name__)

CONNECT_S = 5.0
BYTES_A_REQUEST = 8 * 2**20  # of letters; Mailgun takes 25 MiB
PROBE, CAUTIOUS_S = 10, 60.0
"""After a lost answer the next request within so many seconds carries few letters: as many would be in doubt again."""
LOOKS_BACK = dt.timedelta(minutes=10)  # our clock and theirs may differ
PAGES = 10
WAIT = dt.timedelta(minutes=1)  # after 429 without a Retry-After
GIVES_OUT_S = 200.0  # the lease of a batch is longer
# What Mailgun writes itself wherever it stands; nobody's name or text is to be a command to it.
_COMMAND = re.compile(r"%(?=recipient|unsubscribe|mailing_list|tag_unsub)", re.IGNORECASE)
_ABOUT_SENDER = re.compile(
    r"from parameter|'from'|domain|not allowed|authorized recipients|disabled|free account", re.IGNORECASE
)
_BAD_RECIPIENT = re.compile(r"\bto\b.{0,30}not a valid address", re.IGNORECASE)
_PARTS = {"subject": "subject", "text": "text", "html": "html"}


class _RefusedWholeError(Exception):
    """Mailgun took nothing of a request, for the sake of some letter in it."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.text)
        self.answer = answer


@dataclass
class _Caution:
    """When this process last lost an answer, by the monotonic clock."""

    lost_at: float = float("-inf")

    @property
    def is_due(self) -> bool:
        return time.monotonic() - self.lost_at < CAUTIOUS_S


caution = _Caution()


class MailgunChannel:
    """A line to Mailgun for a number of letters."""

    batch: ClassVar[int] = 500
    can_be_asked: ClassVar[bool] = True
    # "A page of events is trusted when it is half an hour old": their guide to polling events.
    settles_after: ClassVar[dt.timedelta] = dt.timedelta(minutes=30)

    def __init__(self) -> None:
        base = settings.MAILGUN_API_URL.rstrip("/")
        self._base = f"{base}/{quote(settings.MAILGUN_SENDER_DOMAIN, safe='')}"
        self._host = f"{urlsplit(base).scheme}://{urlsplit(base).netloc}"
        self._headers = urllib3.make_headers(basic_auth=f"api:{settings.MAILGUN_API_KEY}")
        self._line = urllib3.PoolManager(
            num_pools=1,
            maxsize=1,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_S, read=settings.EMAIL_TIMEOUT),
        )
        self._lost: Answer | None = None
        self._until = time.monotonic() + GIVES_OUT_S

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.clear()

    def hand_over(self, letters: Sequence[Letter]) -> Iterator[Answer]:
        """Send them in as few requests as can be. Raises `ChannelDown` before the first that was not tried."""
        self._until = time.monotonic() + GIVES_OUT_S
        for run in _runs(letters):
            yield from self._give(run)

    def find(self, sought: Sequence[Sought]) -> Mapping[str, Found]:
        """What Mailgun's events tell of them, by their keys. Raises `ChannelDown`."""
        begins: dict[str, dt.datetime] = {}
        for item in sought:
            if address := _spelled(item.letter.address):
                begins[address] = min(begins.get(address, item.sent_at), item.sent_at)
        keys = {item.letter.key for item in sought}
        told: dict[str, list[Mapping[str, Any]]] = {}
        for address, begin in begins.items():
            for event in self._events(address, begin - LOOKS_BACK):
                if (key := key_of(event)) in keys:
                    told.setdefault(key, []).append(event)
        return {key: found for key, events in told.items() if (found := best_of(events)) is not None}

    def knock(self) -> None:
        """Ask for one event, which sends nothing. Raises `ChannelDown` where this site is not let in, or not to events."""
        try:
            status, body, _head = self._ask("GET", f"{self._base}/events?limit=1")
        except failures.HTTPError as error:
            raise ChannelDown(type(error).__name__[:32], _short(error)) from error
        if status != 200 or not isinstance(_json(body), dict):
            raise ChannelDown(str(status), _message_in(body))

    def _give(self, run: Sequence["_Addressed"]) -> Iterator[Answer]:
        sendable = [item for item in run if item.to]
        try:
            answer = self._post(sendable) if sendable else _NOBODY
        except _RefusedWholeError as refused:
            if len(sendable) > 1:
                yield from self._give(run[: len(run) // 2])
                yield from self._give(run[len(run) // 2 :])
                return
            answer = refused.answer
        for item in run:
            yield answer if item.to else _INVALID

    def _post(self, items: Sequence["_Addressed"]) -> Answer:
        """One request; one answer for all in it."""
        if self._lost is not None:  # what broke the last one will break this one
            raise ChannelDown(self._lost.code, self._lost.text)
        if time.monotonic() > self._until:
            raise ChannelDown("slow", "Mailgun took too long for what came before.")
        try:
            status, body, head = self._ask("POST", f"{self._base}/messages", fields=_form(items))
        except (failures.NewConnectionError, failures.ConnectTimeoutError) as error:
            raise ChannelDown(type(error).__name__[:32], _short(error)) from error
        except failures.HTTPError as error:
            if isinstance(error, failures.SSLError) and isinstance(error.args[0], SSLCertVerificationError):
                raise ChannelDown("certificate", _short(error)) from error
            return self._lose(type(error).__name__, _short(error))
        if status == 200:
            if taken := _id_in(body):
                caution.lost_at = float("-inf")
                return Answer(Outcome.ACCEPTED, "200", _message_in(body), provider_id=taken)
            return self._lose("200", "not the answer of Mailgun's API")
        return self._refused(status, body, head)

    def _refused(self, status: int, body: bytes, head: Mapping[str, str]) -> Answer:
        text = _message_in(body)
        if status >= 500:
            return self._lose(str(status), text)
        is_nobody = status == 400 and _BAD_RECIPIENT.search(text) is not None
        if status == 413 or is_nobody or (status == 400 and not _ABOUT_SENDER.search(text)):
            raise _RefusedWholeError(Answer(Outcome.PERMANENT, str(status), text, bad_address=is_nobody))
        wait = seconds(head.get("Retry-After", "")) if status == 429 else None
        retry_after = (dt.timedelta(seconds=wait) if wait is not None else WAIT) if status == 429 else None
        raise ChannelDown(str(status), text, retry_after=retry_after)

    def _lose(self, code: str, text: str) -> Answer:
        caution.lost_at = time.monotonic()
        self._lost = Answer(Outcome.LOST, code[:32], text[:TEXT_LIMIT])
        log.warning("mailgun_answer_lost", code=code, text=text)
        return self._lost

    def _ask(self, method: str, url: str, **more: Any) -> tuple[int, bytes, Mapping[str, str]]:
        answer = self._line.request(method, url, headers=self._headers, redirect=False, **more)
        return answer.status, answer.data, answer.headers

    def _events(self, address: str, begin: dt.datetime) -> Iterator[Mapping[str, Any]]:
        asked = {
            "recipient": address,
            "begin": f"{begin.timestamp():.0f}",
            "ascending": "yes",
            "limit": "300",
        }
        url = f"{self._base}/events?{urlencode(asked)}"
        for _page in range(PAGES):
            try:
                status, body, _head = self._ask("GET", url)
            except failures.HTTPError as error:
                raise ChannelDown(type(error).__name__[:32], _short(error)) from error
            try:
                told = json.loads(body)
                items, url = list(told["items"]), str(told["paging"]["next"])
            except (ValueError, KeyError, TypeError) as error:
                raise ChannelDown(str(status), f"no page of events: {_message_in(body)}") from error
            if not items:
                return
            yield from (item for item in items if isinstance(item, dict))
            if not url.startswith(f"{self._host}/"):  # the key goes nowhere else
                return


@dataclass(frozen=True)
class _Addressed:
    """A letter and the spelling of its address that Mailgun gets, '' for one that it can't get."""

    letter: Letter
    to: str

    @property
    def shape(self) -> tuple[bool, tuple[str, ...]]:
        return bool(self.letter.html), tuple(sorted(self.letter.headers))

    @property
    def size(self) -> int:
        return len(self.letter.text) + len(self.letter.html)


_NOBODY = Answer(Outcome.PERMANENT, "invalid", "")
_INVALID = Answer(Outcome.PERMANENT, "invalid", "not one address that can be sent to")


def _runs(letters: Sequence[Letter]) -> Iterator[list[_Addressed]]:
    """Cut where an address comes again, the heads change, or it gets too big; the order stays, as answers have to."""
    run: list[_Addressed] = []
    seen: set[str] = set()
    size = 0
    most = PROBE if caution.is_due else len(letters)
    for letter in letters:
        item = _Addressed(letter, _spelled(letter.address))
        address = item.to.lower()
        if run and (
            len(run) >= most
            or (address and address in seen)
            or item.shape != run[0].shape
            or size + item.size > BYTES_A_REQUEST
        ):
            yield run
            run, seen, size, most = [], set(), 0, len(letters)
        run.append(item)
        seen.add(address)
        size += item.size
    if run:
        yield run


def _spelled(address: str) -> str:
    """The address in ASCII, which is all that Mailgun takes; '' for none."""
    name, _at, domain = address.rpartition("@")
    if not is_one_address(address) or not name.isascii():
        return ""
    if domain.isascii():
        return address
    try:
        return f"{name}@{domain.encode('idna').decode()}"
    except UnicodeError:
        return ""


def _form(items: Sequence[_Addressed]) -> list[tuple[str, str]]:
    first = items[0].letter
    fields = [
        ("from", settings.DEFAULT_FROM_EMAIL),
        ("to", ", ".join(named_address(item.letter.name, item.to) for item in items)),
        *((name, f"%recipient.{part}%") for name, part in _PARTS.items() if name != "html" or first.html),
        ("h:Auto-Submitted", "auto-generated"),
        ("h:Message-Id", "<%recipient.message_id%>"),
        *((f"h:{name}", f"%recipient.head_{at}%") for at, name in enumerate(sorted(first.headers))),
        (f"v:{KEY_VARIABLE}", "%recipient.key%"),
        ("o:tracking", "no"),
        ("recipient-variables", json.dumps({item.to: _variables(item.letter) for item in items})),
    ]
    return fields


def _variables(letter: Letter) -> dict[str, str]:
    own = {
        "subject": _tame(letter.subject),
        "text": _tame(letter.text),
        "message_id": letter.message_id.strip("<>"),
        "key": letter.key,
    }
    if letter.html:
        own["html"] = _tame(letter.html)
    for at, name in enumerate(sorted(letter.headers)):
        own[f"head_{at}"] = letter.headers[name]
    return own


def _tame(text: str) -> str:
    """The same to the eye, and no variable of Mailgun's: a word joiner stands behind the sign."""
    return _COMMAND.sub("%\N{WORD JOINER}", text) if "%" in text else text


def _id_in(body: bytes) -> str:
    told = _json(body)
    return str(told.get("id", "")) if isinstance(told, dict) else ""


def _message_in(body: bytes) -> str:
    told = _json(body)
    text = told.get("message") if isinstance(told, dict) else None
    return (text if isinstance(text, str) else body.decode(errors="replace"))[:TEXT_LIMIT].replace("\0", "")


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:TEXT_LIMIT]
