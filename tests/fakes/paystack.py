"""A raw HTTP server in Paystack's place that keeps what it is sent, and hangs, breaks or lies on demand."""

import contextlib
import json
import threading
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Trick(Enum):
    """What it does instead of answering well."""

    HANG = "takes the request and never answers"
    DRIBBLE = "answers byte by byte, without an end in sight"
    CUT = "takes the request and closes the line"
    CUT_BODY = "closes the line in the middle of the answer"
    ENDLESS = "answers with more than anybody wants"
    HTML = "answers with a page and status 200"
    BROKEN = "answers with JSON that breaks off"
    LIST = "answers with JSON of another shape"
    LATIN = "answers with bytes that are no UTF-8"
    REDIRECT = "sends the asker elsewhere"
    ERROR = "answers with status 500 and JSON"
    BAD_GATEWAY = "answers with status 502 and a page"
    BLOCKED = "answers with status 403 and a page, as a firewall does"
    TIMED_OUT = "answers with status 408"
    ECHO = "refuses with a message that repeats the key"


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class FakePaystack:
    """`with FakePaystack(Trick.HANG, {"status": True, …}) as server:` plays its answers in order, the last one on and on.

    An answer is a trick, an object (status 200) or a pair of status and object.
    """

    answers: list[Any] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked = []

    def __enter__(self) -> "FakePaystack":
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                fake._hear(self)

            do_POST = do_GET

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
        """Base address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def _hear(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.asked.append(Asked(handler.command, handler.path, headers, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        with contextlib.suppress(ConnectionError):
            if isinstance(answer, Trick):
                self._play(handler, answer)
            else:
                status, told = answer if isinstance(answer, tuple) else (200, answer)
                _send(handler, status, json.dumps(told).encode())

    def _play(self, handler: BaseHTTPRequestHandler, trick: Trick) -> None:
        page = b"<!doctype html><title>Sorry</title>"
        match trick:
            case Trick.HANG:
                self._over.wait()
            case Trick.DRIBBLE:
                handler.send_response(200)
                handler.send_header("Content-Length", "1000000")
                handler.end_headers()
                while not self._over.wait(0.02):
                    handler.wfile.write(b" ")
            case Trick.CUT:
                handler.close_connection = True
            case Trick.CUT_BODY:
                handler.send_response(200)
                handler.send_header("Content-Length", "1000")
                handler.end_headers()
                handler.wfile.write(b'{"status": true')
                handler.close_connection = True
            case Trick.ENDLESS:
                handler.send_response(200)
                handler.send_header("Content-Length", str(2**30))
                handler.end_headers()
                while not self._over.is_set():
                    handler.wfile.write(b" " * 65_536)
            case Trick.HTML:
                _send(handler, 200, page, "text/html")
            case Trick.BROKEN:
                _send(handler, 200, b'{"status": true, "data": {')
            case Trick.LIST:
                _send(handler, 200, b"[1, 2]")
            case Trick.LATIN:
                _send(handler, 200, b'{"message": "\xe9"}')
            case Trick.REDIRECT:
                handler.send_response(302)
                handler.send_header("Location", f"{self.url}/elsewhere")
                handler.send_header("Content-Length", "0")
                handler.end_headers()
            case Trick.ERROR:
                _send(handler, 500, b'{"status": false, "message": "Something went wrong"}')
            case Trick.BAD_GATEWAY:
                _send(handler, 502, page, "text/html")
            case Trick.BLOCKED:
                _send(handler, 403, page, "text/html")
            case Trick.ECHO:
                said = {"status": False, "message": f"Invalid: {handler.headers['Authorization']}"}
                _send(handler, 401, json.dumps(said).encode())
            case Trick.TIMED_OUT:
                _send(handler, 408, b'{"status": false, "message": "Request timed out"}')


def _send(
    handler: BaseHTTPRequestHandler, status: int, body: bytes, kind: str = "application/json; charset=utf-8"
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
