"""Whose address a request comes from, also behind proxies."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def address_of(*, peer: str, forwarded_for: str, trusted: Sequence[Network]) -> str | None:
    """The client's address in a form PostgreSQL stores; None where there is none, as behind a unix socket.

    `peer` is who is connected to us. Only if that is a trusted proxy, `forwarded_for` (`X-Forwarded-For`) is read, from
    its end, where our own proxies write: the first address that is no trusted proxy is the client. What stands further to
    the left was written by the client and says what it likes.
    """
    address = _parsed(peer)
    hops = [hop.strip() for hop in forwarded_for.split(",")] if forwarded_for else []
    while address is not None and hops and _is_trusted(address, trusted):
        further = _parsed(hops.pop())
        if further is None:
            break
        address = further
    return None if address is None else str(address)


def networks(names: Sequence[str]) -> list[Network]:
    """`10.0.0.0/8`, `127.0.0.1`, … as networks. Raises ValueError, which names the one that is none."""
    return [ipaddress.ip_network(name.strip()) for name in names if name.strip()]


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in trusted)
