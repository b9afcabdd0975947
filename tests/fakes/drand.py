"""A drand relay on loopback that speaks its real HTTP, and is late, wrong, slow or broken on demand."""

import contextlib
import json
import threading
import time
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from draws.drand import QUICKNET, value_of
from tests.draws.vwd1_values import DRAND_ROUNDS


class Trick(Enum):
    """What the relay does instead of answering well."""

    LATE = "says that the round is not out yet"
    WRONG_ROUND = "answers with another round, correctly signed"
    WRONG_SIGNATURE = "answers with another round's signature"
    HTML = "answers with a page, as a captive portal does"
    NOT_AN_OBJECT = "answers with JSON of another shape"
    ENDLESS = "answers with more than anybody wants"
    STALL = "never answers"
    DRIBBLE = "answers byte by byte"
    ERROR = "answers with status 500"
    REDIRECT = "sends the asker elsewhere"
    HANG_UP = "closes the line"


@dataclass
class FakeRelay:
    """`with FakeRelay() as relay:` answers at `relay.url`; `relay.asked` are the paths it was asked for."""

    trick: Trick | None = None
    asked: list[str] = field(default_factory=list)

    def __enter__(self) -> "FakeRelay":
        relay = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                relay.asked.append(self.path)
                relay._answer(self)

            def log_message(self, *args: Any) -> None:
                pass

        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Its base address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        chain, _public, number = handler.path.strip("/").split("/")
        if chain != QUICKNET.chain_hash or int(number) not in DRAND_ROUNDS:
            return _send(handler, 404, b"not here")
        match self.trick:
            case Trick.LATE:
                return _send(handler, 425, b"too early")
            case Trick.ERROR:
                return _send(handler, 500, b"internal error")
            case Trick.HTML:
                return _send(handler, 200, b"<html>Welcome to the hotel</html>", "text/html")
            case Trick.NOT_AN_OBJECT:
                return _send(handler, 200, b"[1000]")
            case Trick.ENDLESS:
                return _send(handler, 200, b" " * 1_000_000)
            case Trick.REDIRECT:
                handler.send_response(302)
                handler.send_header("Location", f"{self.url}/elsewhere/public/1000")
                handler.send_header("Content-Length", "0")
                return handler.end_headers()
            case Trick.HANG_UP:
                return handler.connection.close()
            case Trick.STALL:
                self._over.wait(30)
                return None
            case Trick.DRIBBLE:
                return self._dribble(handler)
        return _send(handler, 200, self._body(int(number)))

    def _body(self, number: int) -> bytes:
        told = next(other for other in DRAND_ROUNDS if other != number) if self.trick else number
        signature = DRAND_ROUNDS[told][0]
        if self.trick is Trick.WRONG_SIGNATURE:
            told = number
        return json.dumps(
            {"round": told, "randomness": value_of(signature_hex=signature), "signature": signature}
        ).encode()

    def _dribble(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not self._over.is_set():
            try:
                handler.wfile.write(b" ")
                handler.wfile.flush()
            except OSError:
                return
            time.sleep(0.02)


def _send(handler: BaseHTTPRequestHandler, status: int, body: bytes, kind: str = "application/json") -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    with contextlib.suppress(OSError):  # who asked may be gone
        handler.wfile.write(body)
