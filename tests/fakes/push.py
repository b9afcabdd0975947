"""A push service on loopback, and the browsers that subscribe at it: it believes only what RFC 8030, 8291 and 8292 allow.

Each message is opened with the browser's own keys and the site's name is checked, by the standard's own library and not by
the site's code; what is wrong is answered as real services do.
"""

import base64
import contextlib
import json
import re
import socket
import threading
import time
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import http_ece
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class Trick(Enum):
    """What the service does instead of answering."""

    STALL = "never answers"
    DRIP = "answers a byte at a time, for ever"


def coded(data: bytes) -> str:
    """Base64url without its end."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """The other way round."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Shown:
    """A message that arrived: what the service worker is told, and the headers in lower case."""

    said: dict[str, Any]
    headers: dict[str, str]
    size: int


@dataclass
class FakeBrowser:
    """One subscription; `status` is what the service says to whoever writes to it."""

    endpoint: str
    status: int = 201
    retry_after: str = ""
    trick: Trick | None = None
    shown: list[Shown] = field(default_factory=list)
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = b"sixteen bytes ok"

    @property
    def p256dh(self) -> str:
        """Its public key."""
        return coded(self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    @property
    def subscription(self) -> dict[str, Any]:
        """What `PushSubscription.toJSON()` gives."""
        return {
            "endpoint": self.endpoint,
            "expirationTime": None,
            "keys": {"p256dh": self.p256dh, "auth": coded(self.auth)},
        }


@dataclass
class FakePushService:
    """`with FakePushService() as service: browser = service.browser("phone")`. `faults` is what was wrong with requests."""

    browsers: dict[str, FakeBrowser] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    asked: int = 0

    def __enter__(self) -> "FakePushService":
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                service.asked += 1
                with contextlib.suppress(OSError):  # who asked may be gone
                    service._answer(self, body)

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
    def origin(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def browser(self, name: str) -> FakeBrowser:
        """A browser that subscribed."""
        return self.browsers.setdefault(name, FakeBrowser(f"{self.origin}/push/{name}"))

    def _answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        browser = self.browsers[handler.path.removeprefix("/push/")]
        if browser.trick is Trick.STALL:
            self._over.wait(30)
            return
        if browser.trick is Trick.DRIP:
            handler.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while not self._over.wait(0.05):
                handler.wfile.write(b"x")
            return
        headers = {name.lower(): value for name, value in handler.headers.items()}
        status = browser.status
        if status == 201:
            try:
                self._believe(headers)
                opened = http_ece.decrypt(
                    body, private_key=browser.key, auth_secret=browser.auth, version="aes128gcm"
                )
                if len(body) > 4_096:
                    raise ValueError("longer than every push service takes")
                browser.shown.append(Shown(json.loads(opened), headers, len(body)))
            except (ValueError, InvalidSignature, http_ece.ECEException) as error:
                self.faults.append(f"{type(error).__name__}: {error}")
                status = 403
        handler.send_response(status)
        if browser.retry_after:
            handler.send_header("Retry-After", browser.retry_after)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def _believe(self, headers: dict[str, str]) -> None:
        """The site's name and the headers that RFC 8030 asks for. Raises ValueError and `InvalidSignature`."""
        found = re.fullmatch(r"vapid t=([\w-]+\.[\w-]+)\.([\w-]+),\s*k=([\w-]+)", headers["authorization"])
        if found is None:
            raise ValueError(f"no name: {headers['authorization']}")
        signed, signature, key = found[1], decoded(found[2]), decoded(found[3])
        halves = [int.from_bytes(signature[at : at + 32], "big") for at in (0, 32)]
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key).verify(
            utils.encode_dss_signature(*halves), signed.encode(), ec.ECDSA(hashes.SHA256())
        )
        head, claims = (json.loads(decoded(part)) for part in signed.split("."))
        if head["alg"] != "ES256" or claims["aud"] != self.origin or not claims["sub"].startswith("mailto:"):
            raise ValueError(f"not for us: {head} {claims}")
        if not 0 < claims["exp"] - time.time() <= 86_400:
            raise ValueError("a name that holds too long, or no more")
        if headers["content-encoding"] != "aes128gcm" or not headers["ttl"].isdigit():
            raise ValueError("no encoding or no TTL")
        if not re.fullmatch(r"[\w-]{1,32}", headers["topic"]):
            raise ValueError("a topic that is none")
        if headers["urgency"] not in ("very-low", "low", "normal", "high"):
            raise ValueError("an urgency that is none")
