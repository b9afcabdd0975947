"""Mailgun on loopback: its messages and events API in their real shapes, its signed webhooks, and its moods on demand.

A batch is taken apart into single mails, each written with its recipient's own variables, as Mailgun does. It is
asked the worst about what stands in those: variables inside of variables are written too.
"""

import base64
import contextlib
import email
import email.policy
import hashlib
import hmac
import itertools
import json
import re
import secrets
import threading
import time
import urllib.parse
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from email.utils import formataddr, getaddresses
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MOST_RECIPIENTS = 1_000
PAGE = 300
_VARIABLE = re.compile(r"%recipient\.([^%\s]+)%")
_OWN = re.compile(r"%(mailing_list_unsubscribe_url|tag_unsubscribe_url|unsubscribe_url|recipient)%")


class Trick(Enum):
    """What it does with a request instead of taking it and saying so."""

    HANG_TAKEN = "takes the mails and never answers"
    CUT_TAKEN = "takes the mails and closes the line"
    ERROR_TAKEN = "takes the mails and answers with status 500"
    HTML_TAKEN = "takes the mails and answers with a page and status 200"
    CUT = "closes the line before it takes anything"
    HTML = "answers with a page and status 502, and takes nothing"
    ERROR = "answers with status 500 and takes nothing"
    BUSY = "answers with status 429 and Retry-After"
    FORBIDDEN = "answers with status 401"
    REFUSED = "answers with status 400"
    TOO_BIG = "answers with status 413"

    @property
    def takes(self) -> bool:
        """Whether the mails go out all the same."""
        return self.name.endswith("_TAKEN")


@dataclass(frozen=True)
class Mail:
    """One mail to one person, as that person gets it."""

    recipient: str
    to: str
    subject: str
    text: str
    html: str
    headers: dict[str, str]
    variables: dict[str, str]
    message_id: str
    batch_id: str
    at: float


@dataclass
class FakeMailgun:
    """`with FakeMailgun() as mailgun:`; what it took stands in `mails`, what was posted in `posts` (fields).

    `tricks` are played one a POST, in order; `by_address` on a request that holds the address, `times` times. Addresses
    in `refused` have a whole request refused. Events show after `lag` seconds.
    """

    key: str = "key-0123456789"
    domain: str = "mg.fair.example"
    signing_key: str = "signing-0123456789"
    lag: float = 0.0
    tricks: list[Trick | None] = field(default_factory=list)
    by_address: dict[str, Trick] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    retry_after: str = "7"
    page: int = PAGE
    asks_fail: bool = False
    played: list[Trick] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    posts: list[dict[str, list[str]]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    holding: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def __enter__(self) -> "FakeMailgun":
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                with contextlib.suppress(ConnectionError):
                    fake._post(self)

            def do_GET(self) -> None:
                with contextlib.suppress(ConnectionError):
                    fake._get(self)

            def log_message(self, *args: Any) -> None:
                pass

        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """What `MAILGUN_API_URL` is for it."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v3"

    def page_of(self, mail: Mail) -> str:
        """Where a browser finds the HTML of a mail."""
        return f"{self.url.removesuffix('/v3')}/mail/{self.mails.index(mail)}"

    @property
    def counts(self) -> Counter[str]:
        """How many mails each address got."""
        return Counter(mail.recipient for mail in self.mails)

    def tell(self, mail: Mail, event: str, **more: Any) -> dict[str, Any]:
        """Something happens to a mail: it stands among the events, and is returned for `signed`."""
        told = {
            "event": event,
            "id": f"{next(self._numbers):08}{secrets.token_urlsafe(8)}",
            "timestamp": time.time(),
            "log-level": "info",
            "recipient": mail.recipient,
            "recipient-domain": mail.recipient.rpartition("@")[2],
            "method": "HTTP",
            "tags": [],
            "flags": {"is-authenticated": True, "is-test-mode": False, "is-routed": False},
            "envelope": {"sender": f"bounce@{self.domain}", "targets": mail.recipient, "transport": "smtp"},
            "message": {
                "headers": {
                    "to": mail.to,
                    "message-id": mail.message_id.strip("<>"),
                    "from": mail.headers.get("From", ""),
                    "subject": mail.subject,
                },
                "attachments": [],
                "size": len(mail.text) + len(mail.html),
            },
            "user-variables": mail.variables,
            **more,
        }
        with self._lock:
            self.events.append(told)
        return told

    def fail(self, mail: Mail, *, severity: str = "permanent", reason: str = "bounce", **status: Any) -> Any:
        """The other side takes it not (now); `status`: code, message, …"""
        usual = {
            "code": 550,
            "message": "5.1.1 The account does not exist",
            "description": "",
            "attempt-no": 1,
        }
        more = {"severity": severity, "reason": reason, "log-level": "error"}
        return self.tell(mail, "failed", **more, **{"delivery-status": {**usual, **status}})

    def signed(self, told: dict[str, Any], *, at: float | None = None, token: str = "") -> dict[str, Any]:
        """The body of a webhook about it."""
        token = token or secrets.token_hex(25)
        timestamp = str(int(time.time() if at is None else at))
        mac = hmac.new(self.signing_key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256)
        signature = {"timestamp": timestamp, "token": token, "signature": mac.hexdigest()}
        return {"signature": signature, "event-data": told}

    def call(self, site: str, told: dict[str, Any]) -> int:
        """Tell the site at this address, as Mailgun does; its status."""
        request = urllib.request.Request(
            f"{site}/webhooks/mailgun/",
            data=json.dumps(self.signed(told)).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def _post(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        if not self._may(handler):
            return
        fields = _fields(body, handler.headers["Content-Type"])
        addresses = [address for _name, address in getaddresses(fields.get("to", []))]
        with self._lock:
            self.posts.append(fields)
        if refusal := self._refusal(fields, addresses):
            return _say(handler, 400, {"message": refusal})
        with self._lock:
            trick = self.tricks.pop(0) if self.tricks else None
            for address in addresses:
                trick = trick or self.by_address.pop(address, None)
            self.played += [trick] if trick else []
        batch_id = f"<{secrets.token_hex(10)}@{self.domain}>"
        if trick is None or trick.takes:
            self._take(fields, batch_id)
        if trick is None:
            return _say(handler, 200, {"id": batch_id, "message": "Queued. Thank you."})
        return self._play(handler, trick)

    def _refusal(self, fields: dict[str, list[str]], addresses: list[str]) -> str:
        if missing := [name for name in ("from", "to", "subject") if not any(fields.get(name, []))]:
            return f"{missing[0]} parameter is missing"
        if len(addresses) > MOST_RECIPIENTS:
            return "to parameter has more than 1000 addresses"
        is_bad = bool(set(addresses) & self.refused)
        return "to parameter is not a valid address. please check documentation" if is_bad else ""

    def _play(self, handler: BaseHTTPRequestHandler, trick: Trick) -> None:
        match trick:
            case Trick.HANG_TAKEN:
                self.holding.set()
                self._over.wait()
                handler.close_connection = True
            case Trick.CUT | Trick.CUT_TAKEN:
                handler.close_connection = True
            case Trick.ERROR | Trick.ERROR_TAKEN:
                _say(handler, 500, {"message": "Internal Server Error"})
            case Trick.HTML_TAKEN:
                _answer(handler, 200, b"<!doctype html><title>Mailgun Magnificent API</title>", "text/html")
            case Trick.HTML:
                _answer(handler, 502, b"<!doctype html><title>Bad gateway</title>", "text/html")
            case Trick.BUSY:
                _say(handler, 429, {"message": "Too many requests"}, **{"Retry-After": self.retry_after})
            case Trick.FORBIDDEN:
                _answer(handler, 401, b"Forbidden", "text/plain")
            case Trick.REFUSED:
                _say(
                    handler,
                    400,
                    {"message": "to parameter is not a valid address. please check documentation"},
                )
            case Trick.TOO_BIG:
                _say(handler, 413, {"message": "Request Entity Too Large"})

    def _take(self, fields: dict[str, list[str]], batch_id: str) -> None:
        variables = json.loads(fields.get("recipient-variables", ["{}"])[0])
        now = time.time()
        mails = []
        for name, address in getaddresses(fields["to"]):
            own = variables.get(address, {})

            def written(text: str, own: dict[str, Any] = own) -> str:
                for _depth in range(3):
                    text = _VARIABLE.sub(lambda found: str(own.get(found[1], "")), text)
                return _OWN.sub("https://mailgun.example/unsubscribe", text)

            def one(key: str, written: Any = written) -> str:
                return str(written(fields.get(key, [""])[0]))

            headers = {key[2:]: one(key) for key in fields if key.startswith("h:")}
            mails.append(
                Mail(
                    recipient=address,
                    to=formataddr((name, address)),
                    subject=one("subject"),
                    text=one("text"),
                    html=one("html"),
                    headers={"From": fields["from"][0], **headers},
                    variables={key[2:]: one(key) for key in fields if key.startswith("v:")},
                    message_id=headers.get("Message-Id", batch_id),
                    batch_id=batch_id,
                    at=now,
                )
            )
        with self._lock:
            self.mails += mails
        for mail in mails:
            self.tell(mail, "accepted")

    def _get(self, handler: BaseHTTPRequestHandler) -> None:
        if handler.path.startswith("/mail/"):
            html = self.mails[int(handler.path[6:])].html
            return _answer(handler, 200, html.encode(), "text/html; charset=utf-8")
        if not self._may(handler):
            return
        if self.asks_fail:
            return _say(handler, 500, {"message": "Internal Server Error"})
        path, _mark, query = handler.path.partition("?")
        *_rest, last = path.split("/")
        if last == "events":
            asked, at = dict(urllib.parse.parse_qsl(query)), 0
            self.asked.append(asked)
        else:
            asked, at = json.loads(base64.urlsafe_b64decode(last))
        with self._lock:
            found = [event for event in self.events if self._matches(event, asked)]
        found.sort(key=lambda event: event["timestamp"], reverse=asked.get("ascending") != "yes")
        size = min(int(asked.get("limit", 100)), self.page)
        token = base64.urlsafe_b64encode(json.dumps([asked, at + size]).encode()).decode()
        url = f"{self.url}/{self.domain}/events/{token}"
        paging = {"next": url, "previous": url, "first": url, "last": url}
        return _say(handler, 200, {"items": found[at : at + size], "paging": paging})

    def _matches(self, event: dict[str, Any], asked: dict[str, str]) -> bool:
        at = event["timestamp"]
        return (
            at <= time.time() - self.lag
            and asked.get("recipient", event["recipient"]) == event["recipient"]
            and asked.get("event", event["event"]) == event["event"]
            and float(asked.get("begin", 0)) <= at <= float(asked.get("end", "inf"))
        )

    def _may(self, handler: BaseHTTPRequestHandler) -> bool:
        wanted = "Basic " + base64.b64encode(f"api:{self.key}".encode()).decode()
        if handler.headers.get("Authorization") != wanted:
            _answer(handler, 401, b"Forbidden", "text/plain")
        elif not handler.path.startswith(f"/v3/{self.domain}/"):
            _say(handler, 404, {"message": "Domain not found: other.example"})
        else:
            return True
        return False


def _fields(body: bytes, kind: str) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    if kind.startswith("application/x-www-form-urlencoded"):
        return urllib.parse.parse_qs(body.decode(), keep_blank_values=True)
    whole = email.message_from_bytes(
        b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body, policy=email.policy.HTTP
    )
    for part in whole.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        fields.setdefault(name, []).append(content.decode())
    return fields


def _say(handler: BaseHTTPRequestHandler, status: int, told: Any, **headers: str) -> None:
    _answer(handler, status, json.dumps(told).encode(), "application/json", **headers)


def _answer(handler: BaseHTTPRequestHandler, status: int, body: bytes, kind: str, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)
