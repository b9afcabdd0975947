"""Twilio's Messages resource over real HTTP: keeps what it is sent, misbehaves on demand, calls back and texts in.

Shapes as in twilio.com/docs/messaging/api/message-resource. Messages are counted by number and text, and so is how
many arrived in the fullest second.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

SID, TOKEN = "AC" + "0123456789abcdef" * 2, "token-of-the-fake"
VERSION = "2010-04-01"


class Trick(Enum):
    """What it does instead of answering well."""

    TAKE_AND_HANG = "takes the message and never answers"
    TAKE_AND_CUT = "takes the message and closes the line"
    HANG = "takes nothing and never answers"
    CUT = "closes the line without having read"
    ERROR = "answers with status 500, nothing taken"
    TAKE_AND_ERROR = "takes the message, and answers with status 500"
    HTML = "answers with a page and status 200"
    TAKE_AND_HTML = "takes the message, and answers with a page and status 200"
    BROKEN = "takes the message, and answers with JSON that breaks off"
    LIST = "takes the message, and answers with JSON of another shape"
    DRIBBLE = "takes the message, and answers byte by byte"
    REDIRECT = "sends the asker elsewhere"
    LIMITED = "answers 429 with code 20429 and Retry-After"
    DENIED = "answers 401 with code 20003"


@dataclass(frozen=True)
class Refusal:
    """An error of Twilio's own."""

    code: int
    message: str = "refused"
    status: int = 400


@dataclass
class FakeTwilio:
    """`with FakeTwilio() as twilio:`; `tricks` are played one a message, by number in `always`."""

    retry_after: int = 7
    delay: float = 0.0
    tricks: list[Trick | Refusal | None] = field(default_factory=list)
    always: dict[str, Trick | Refusal] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    callbacks: dict[str, str] = field(default_factory=dict)
    page_size_limit: int = 1_000

    def __enter__(self) -> "FakeTwilio":
        fake = self
        self._lock = threading.Lock()
        self._over = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                arrived = time.monotonic()
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with contextlib.suppress(ConnectionError):
                    fake._post(self, dict(parse_qsl(body.decode(), keep_blank_values=True)), arrived)

            def do_GET(self) -> None:
                with contextlib.suppress(ConnectionError):
                    fake._get(self)

            def log_message(self, *args: Any) -> None:
                pass

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
        """Base address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def counts(self) -> Counter[tuple[str, str]]:
        """How often each text was taken for each number."""
        return Counter((message["to"], message["body"]) for message in self.messages)

    @property
    def bodies(self) -> list[str]:
        """The texts taken, in order."""
        return [message["body"] for message in self.messages]

    def fullest_second(self) -> int:
        """The largest number of messages that arrived within any one second."""
        times = sorted(self.arrivals)
        most, first = 0, 0
        for last, at in enumerate(times):
            while times[first] <= at - 1.0:
                first += 1
            most = max(most, last - first + 1)
        return most

    def tell(self, site: str, message: dict[str, Any], state: str, *, code: int = 0, **changes: Any) -> int:
        """Call the status callback of a message, signed; returns the status of the answer.

        `site` stands in for scheme and host of the address, which the site's own tests listen at.
        """
        message["status"] = state
        fields = {
            "AccountSid": SID,
            "ApiVersion": VERSION,
            "From": message["from"] or "",
            "MessageSid": message["sid"],
            "MessageStatus": state,
            "SmsSid": message["sid"],
            "SmsStatus": state,
            "To": message["to"],
            **({"ErrorCode": str(code), "ErrorMessage": "as told"} if code else {}),
        }
        return self.post(site, self.callbacks[message["sid"]], fields, **changes)

    def text_in(self, site: str, address: str, number: str, body: str, *, sid: str, **more: str) -> int:
        """Somebody writes to our number; returns the status of the site's answer."""
        fields = {
            "AccountSid": SID,
            "ApiVersion": VERSION,
            "Body": body,
            "From": number,
            "MessageSid": sid,
            "NumMedia": "0",
            "NumSegments": "1",
            "SmsMessageSid": sid,
            "SmsSid": sid,
            "SmsStatus": "received",
            "To": "+15550001111",
            **more,
        }
        return self.post(site, address, fields)

    def post(
        self,
        site: str,
        address: str,
        fields: dict[str, str],
        *,
        token: str = TOKEN,
        signature: str | None = None,
    ) -> int:
        """POST a form with Twilio's signature over `address`, to the same path at `site`."""
        given = sign(address, fields, token) if signature is None else signature
        request = urllib.request.Request(
            site + urlsplit(address).path,
            urlencode(fields).encode(),
            {"X-Twilio-Signature": given, "Content-Type": "application/x-www-form-urlencoded"},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    # --- answering

    def _post(self, handler: Any, form: dict[str, str], arrived: float) -> None:
        with self._lock:
            self.arrivals.append(arrived)
            self.asked.append(form)
            trick = self.always.get(form.get("To", "")) or (self.tricks.pop(0) if self.tricks else None)
        if self.delay:
            self._over.wait(self.delay)
        if handler.headers.get("Authorization") != _basic(SID, TOKEN):
            return _error(handler, 401, 20003, "Authenticate")
        if handler.path != f"/{VERSION}/Accounts/{SID}/Messages.json":
            return _error(handler, 404, 20404, "The requested resource was not found")
        if isinstance(trick, Refusal):
            return _error(handler, trick.status, trick.code, trick.message)
        if trick is not None:
            return self._play(handler, trick, form)
        if not form.get("To", "").removeprefix("whatsapp:").startswith("+"):
            return _error(handler, 400, 21211, "The 'To' number is not a valid phone number.")
        if not (form.get("From") or form.get("MessagingServiceSid")):
            return _error(handler, 400, 21603, "A 'From' phone number is required.")
        if len(form.get("Body", "")) > 1600:
            return _error(
                handler, 400, 21617, "The concatenated message body exceeds the 1600 character limit."
            )
        _send(handler, 201, self._take(form))
        return None

    def _take(self, form: dict[str, str]) -> dict[str, Any]:
        with self._lock:
            sid = f"SM{len(self.messages) + 1:032x}"
            now = format_datetime(datetime.now(UTC))
            message = {
                "account_sid": SID,
                "api_version": VERSION,
                "body": form.get("Body", ""),
                "date_created": now,
                "date_sent": None,
                "date_updated": now,
                "direction": "outbound-api",
                "error_code": None,
                "error_message": None,
                "from": form.get("From"),
                "messaging_service_sid": form.get("MessagingServiceSid"),
                "num_media": "0",
                "num_segments": "1",
                "price": None,
                "price_unit": "USD",
                "sid": sid,
                "status": "queued",
                "to": form["To"],
                "uri": f"/{VERSION}/Accounts/{SID}/Messages/{sid}.json",
            }
            self.messages.append(message)
            self.callbacks[sid] = form.get("StatusCallback", "")
            return dict(message)

    def _get(self, handler: Any) -> None:
        if handler.headers.get("Authorization") != _basic(SID, TOKEN):
            return _error(handler, 401, 20003, "Authenticate")
        parts = urlsplit(handler.path)
        base = f"/{VERSION}/Accounts/{SID}/Messages"
        if parts.path.startswith(base + "/"):
            wanted = parts.path.removeprefix(base + "/").removesuffix(".json")
            for message in self.messages:
                if message["sid"] == wanted:
                    return _send(handler, 200, message)
            return _error(handler, 404, 20404, "The requested resource was not found")
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if (trick := self.always.get("GET")) is not None:
            return self._play(handler, trick, {}) if isinstance(trick, Trick) else None
        with self._lock:
            rows = [dict(message) for message in reversed(self.messages)]
        if "To" in asked:
            rows = [row for row in rows if row["to"] == asked["To"]]
        if "DateSent>" in asked or "DateSent" in asked:  # what still waits has no time of sending
            rows = [row for row in rows if row["date_sent"]]
        size, page = min(int(asked.get("PageSize", 50)), self.page_size_limit), int(asked.get("Page", 0))
        more = (page + 1) * size < len(rows)
        again = {**asked, "PageSize": size, "Page": page + 1}
        return _send(
            handler,
            200,
            {
                "end": page * size + size - 1,
                "first_page_uri": f"{base}.json?PageSize={size}&Page=0",
                "messages": rows[page * size : (page + 1) * size],
                "next_page_uri": f"{base}.json?{urlencode(again)}" if more else None,
                "page": page,
                "page_size": size,
                "previous_page_uri": None,
                "start": page * size,
                "uri": handler.path,
            },
        )

    def _play(self, handler: Any, trick: Trick, form: dict[str, str]) -> None:
        page = b"<!doctype html><title>Sorry</title>"
        taken = self._take(form) if "takes the message" in trick.value else {}
        match trick:
            case Trick.TAKE_AND_HANG | Trick.HANG:
                self._over.wait()
            case Trick.TAKE_AND_CUT | Trick.CUT:
                handler.close_connection = True
            case Trick.ERROR | Trick.TAKE_AND_ERROR:
                _error(handler, 500, 20500, "An internal server error has occurred")
            case Trick.HTML | Trick.TAKE_AND_HTML:
                _raw(handler, 200, page, "text/html")
            case Trick.BROKEN:
                _raw(handler, 201, json.dumps(taken).encode()[:60])
            case Trick.LIST:
                _raw(handler, 201, b"[1, 2]")
            case Trick.DRIBBLE:
                handler.send_response(201)
                handler.send_header("Content-Length", "1000000")
                handler.end_headers()
                while not self._over.wait(0.02):
                    handler.wfile.write(b" ")
            case Trick.REDIRECT:
                handler.send_response(302)
                handler.send_header("Location", f"{self.url}/elsewhere")
                handler.send_header("Content-Length", "0")
                handler.end_headers()
            case Trick.LIMITED:
                _error(handler, 429, 20429, "Too Many Requests", **{"Retry-After": str(self.retry_after)})
            case Trick.DENIED:
                _error(handler, 401, 20003, "Authenticate")


def sign(address: str, fields: dict[str, str], token: str = TOKEN) -> str:
    """Twilio's signature, written out from its documentation and not by its SDK."""
    said = address + "".join(name + fields[name] for name in sorted(fields))
    return base64.b64encode(hmac.new(token.encode(), said.encode(), hashlib.sha1).digest()).decode()


def _basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


def _error(handler: Any, status: int, code: int, message: str, **headers: str) -> None:
    told = {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    _raw(handler, status, json.dumps(told).encode(), **headers)


def _send(handler: Any, status: int, told: Any) -> None:
    _raw(handler, status, json.dumps(told).encode())


def _raw(handler: Any, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)
