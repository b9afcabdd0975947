"""A receiver of webhooks on loopback that keeps what it hears, and refuses, redirects or never answers on demand."""

import contextlib
import json
import socket
import threading
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Trick(Enum):
    """What the receiver does instead of saying that it heard."""

    REFUSE = "answers with status 500"
    REDIRECT = "sends the caller elsewhere"
    STALL = "never answers"
    DRIP = "answers a byte at a time, for ever"
    DRIP_BODY = "the same after it said that it heard"


@dataclass
class Heard:
    """One request: its headers in lower case, its bytes."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class FakeReceiver:
    """`with FakeReceiver() as receiver:` listens at `receiver.url`; `status` is what it says when it heard."""

    trick: Trick | None = None
    heard: list[Heard] = field(default_factory=list)
    status: int = 204
    body: bytes = b""

    def __enter__(self) -> "FakeReceiver":
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.heard.append(Heard(self.path, headers, body))
                receiver._answer(self)

            def do_GET(self) -> None:
                self.do_POST()

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
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    @property
    def told(self) -> list[tuple[str, str]]:
        """Type and key of each alarm heard, in order."""
        return [(each.json["type"], each.json["data"]["key"]) for each in list(self.heard)]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        status = {Trick.REFUSE: 500, Trick.REDIRECT: 302}.get(self.trick, self.status)
        if self.trick is Trick.STALL:
            self._over.wait(30)
        with contextlib.suppress(OSError):  # who asked may be gone
            if self.trick in (Trick.DRIP, Trick.DRIP_BODY):
                self._drip(handler)
                return
            handler.send_response(status)
            if self.trick is Trick.REDIRECT:
                handler.send_header("Location", self.url)
            handler.send_header("Content-Length", str(len(self.body)))
            handler.end_headers()
            handler.wfile.write(self.body)

    def _drip(self, handler: BaseHTTPRequestHandler) -> None:
        handler.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.trick is Trick.DRIP_BODY:
            handler.send_response(200)
            handler.end_headers()
        while not self._over.wait(0.05):
            handler.wfile.write(b"x")
