"""Relays of drand's quicknet: fetches one round over HTTP. The only place of the draw engine that talks to a network.

No relay is trusted: what it answers is used only if it is this round's signature by the chain's key. They are
asked in turn for the same round, and another round is never taken instead.
"""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO
from urllib.parse import urlsplit

from draws.drand import QUICKNET, verify_signature

TIMEOUT_S = 4.0
"""For one relay, from connecting to the last byte."""
_MOST_BYTES = 16_384


class RelaysError(Exception):
    """No relay gave the round. The message says of each why not."""


class _RelayError(Exception):
    """What one relay did instead of answering."""


@dataclass(frozen=True, slots=True)
class Beacon:
    """A round whose signature was verified, and the relay that it came from."""

    round_number: int
    signature: str
    relay: str


def fetch_round(*, relays: Sequence[str], round_number: int, timeout_s: float = TIMEOUT_S) -> Beacon:
    """The round, from the first of `relays` (base addresses) that has it. Raises `RelaysError`."""
    failures = []
    for relay in relays:
        try:
            signature = _ask(relay, round_number, timeout_s)
        except _RelayError as error:
            failures.append(f"{urlsplit(relay).netloc or relay}: {error}")
        else:
            return Beacon(round_number, signature, relay)
    raise RelaysError("; ".join(failures) or "no relay is configured (DRAND_RELAYS)")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A relay answers itself or not at all: a redirect could lead to any address, also within our own network."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:
        return None


def _ask(relay: str, round_number: int, timeout_s: float) -> str:
    """The verified signature of the round in hex."""
    address = f"{relay.rstrip('/')}/{QUICKNET.chain_hash}/public/{round_number}"
    answer = _read(address, timeout_s)
    try:
        told = json.loads(answer)
    except ValueError:
        raise _RelayError("the answer is not JSON") from None
    if not isinstance(told, dict) or told.get("round") != round_number:
        raise _RelayError(f"the answer is not round {round_number}")
    signature = told.get("signature")
    if not isinstance(signature, str) or not verify_signature(
        round_number=round_number, signature_hex=signature
    ):
        raise _RelayError("the signature is not the chain's")
    return signature


def _read(address: str, timeout_s: float) -> bytes:
    """The body of a good answer. A server that dribbles is given up at the deadline, too."""
    if not address.startswith(("https://", "http://")):
        raise _RelayError("not an address of the web")
    deadline = time.monotonic() + timeout_s
    request = urllib.request.Request(address, headers={"Accept": "application/json"})
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(request, timeout=timeout_s) as response:
            body = b""
            while block := response.read1(4096):
                body += block
                if len(body) > _MOST_BYTES:
                    raise _RelayError("the answer is too long")
                if time.monotonic() > deadline:
                    raise _RelayError(f"no whole answer within {timeout_s:g} s")
            return body
    except urllib.error.HTTPError as error:
        error.close()
        raise _RelayError(f"status {error.code}") from None
    except TimeoutError:
        raise _RelayError(f"no answer within {timeout_s:g} s") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _RelayError(str(getattr(error, "reason", "") or error) or type(error).__name__) from None
