"""Addresses that people typed or their browsers named: asked only where they lead to the open net.

Each is looked up here and connected to by number: nothing inside the site's own network is ever asked, whatever a name
leads to at that moment.
"""

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

import urllib3


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


def number_of(parts: SplitResult, *, inside: bool) -> str:
    """The first number of the host, when all of its numbers are on the open net. Raises `AddressError` and OSError."""
    assert parts.hostname is not None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    numbers = [str(entry[4][0]) for entry in found]
    if not inside:
        for number in numbers:
            if not _is_outside(number):
                raise AddressError("The host is inside a private network. Name one on the open net.")
    return numbers[0]


def pool_to(
    parts: SplitResult, number: str, *, timeout: urllib3.Timeout, size: int = 1
) -> urllib3.HTTPConnectionPool:
    """Connections to exactly that number, which still has to show the certificate of the name."""
    if parts.scheme == "http":
        return urllib3.HTTPConnectionPool(number, parts.port or 80, timeout=timeout, maxsize=size)
    return urllib3.HTTPSConnectionPool(
        number,
        parts.port or 443,
        timeout=timeout,
        maxsize=size,
        server_hostname=parts.hostname,
        assert_hostname=parts.hostname,
    )


def short(error: Exception) -> str:
    """What went wrong with a line, never the address: whoever has that may write there."""
    reason = getattr(error, "reason", None) or error.__cause__
    return type(reason or error).__name__


def _is_outside(number: str) -> bool:
    address = ipaddress.ip_address(number.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    return address.is_global and not address.is_multicast and (mapped is None or bool(mapped.is_global))
