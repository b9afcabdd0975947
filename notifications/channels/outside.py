"""Addresses that people typed or their browsers named: asked only where they lead to the open net.

Each is looked up here and connected to by number: nothing inside the site's own network is ever asked, whatever a name
leads to at that moment. None holds us longer than it is given: not by a name that is looked up for ever, and not by a line
that drips, each byte of which would begin the wait of a read anew.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import SplitResult, urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection

LOOKUP_S = 5.0
_LEAST_S = 0.05

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""Numbers of IPv4 as networks without it write them (RFC 6052)."""
_GIVEN_OUT = ipaddress.IPv6Network("2000::/3")
"""All that is of the open net; what Python calls global is more: fec0::/10, ::10.0.0.1, and NAT64 of a site's own."""


class AddressError(ValueError):
    """Nothing may be sent to this address. The message says what to do."""


def checked(address: str, *, inside: bool) -> SplitResult:
    """The parts of an address that may be posted to. `inside`: also without TLS and on any port. Raises `AddressError`."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise AddressError("This is no address of the web. Copy it whole, from https:// on.") from None
    if parts.scheme != "https" and not (inside and parts.scheme == "http"):
        raise AddressError("The address has to begin with https://.")
    if not parts.hostname or parts.username or parts.password or parts.fragment:
        raise AddressError("Write a host and a path, without a user, a password or a #.")
    if not inside and port not in (None, 443):
        raise AddressError("Only port 443 may be named.")
    return parts


def number_of(parts: SplitResult, *, inside: bool, within: float = LOOKUP_S) -> str:
    """The first number of the host, when all of its numbers are on the open net. Raises `AddressError` and OSError."""
    assert parts.hostname is not None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = _looked_up(parts.hostname, port, max(within, _LEAST_S))
    except ValueError:  # also of a name that can't be one: a label of 64 characters, or of none
        raise AddressError("The host can be no address. Copy it whole.") from None
    numbers = [str(entry[4][0]) for entry in found]
    if not inside:
        for number in numbers:
            if not _is_outside(number):
                raise AddressError("The host is inside a private network. Name one on the open net.")
    return numbers[0]


def line_to(parts: SplitResult, number: str) -> HTTPConnection:
    """A connection, not opened yet, to exactly that number, which still has to show the certificate of the name."""
    if parts.scheme == "http":
        return HTTPConnection(number, parts.port or 80)
    return HTTPSConnection(
        number, parts.port or 443, server_hostname=parts.hostname, assert_hostname=parts.hostname
    )


def connect(line: HTTPConnection, *, until: float, at_most: float) -> None:
    """Open it where it isn't open, by `until` of the monotonic clock. Raises `HTTPError`, OSError and ValueError."""
    if line.sock is None:
        # Once for the connection, once for TLS, which Python gives that time as a whole.
        line.timeout = min(at_most, max((until - time.monotonic()) / 2, _LEAST_S))
        line.connect()


@contextmanager
def cut_at(line: HTTPConnection, *, until: float, silence: float) -> Iterator[None]:
    """Cut an open line when it says nothing for `silence` seconds, and at `until` however busily its other end drips."""
    left = max(until - time.monotonic(), _LEAST_S)
    line.sock.settimeout(min(silence, left))
    cut = threading.Timer(left, _cut, [line])
    cut.daemon = True
    cut.start()
    try:
        yield
    finally:
        cut.cancel()


def short(error: Exception) -> str:
    """What went wrong with a line, never the address: whoever has that may write there."""
    reason = getattr(error, "reason", None) or error.__cause__
    return type(reason or error).__name__


def _looked_up(host: str, port: int, within: float) -> list[Any]:
    """What a name leads to. In a thread of its own, because nothing ends a look-up: it is left to itself."""
    answer: Future[list[Any]] = Future()

    def look_up() -> None:
        try:
            answer.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=look_up, name="look-up", daemon=True).start()
    return answer.result(within)


def _cut(line: HTTPConnection) -> None:
    with suppress(OSError):
        if isinstance(line.sock, socket.socket):
            line.sock.shutdown(socket.SHUT_RDWR)


def _is_outside(number: str) -> bool:
    """Whether a number is on the open net: of IPv6 what is given out there, and what stands for such a number of IPv4."""
    address = ipaddress.ip_address(number.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return _is_outside(str(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)))
        if inner := address.ipv4_mapped or address.sixtofour:
            return _is_outside(str(inner))
        if address not in _GIVEN_OUT:
            return False
    return address.is_global and not address.is_multicast
