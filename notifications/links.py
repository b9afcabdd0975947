"""Secret links: a token in an address that opens one thing to whoever was sent it.

    token = make_token(purpose="draws.claim", row=award.public_id, version=award.claim_version)

A token is the row's UUID and an HMAC under `LINK_KEY` over purpose, row and version. Nothing of it is stored: it
is made when a message is rendered, can be made again at any time, and every token of a row dies when the row's
version is raised. Whoever reads one finds the row by `row_of` and then asks `is_genuine`, in this order, because
only the row knows its version.
"""

import base64
import binascii
import hmac
import uuid

from django.conf import settings

_MAC_BYTES = 16
TOKEN_LENGTH = 43
_DOMAIN = b"fairground link 1"


def make_token(*, purpose: str, row: uuid.UUID, version: int) -> str:
    """43 characters for an address. `purpose` (`draws.claim`) keeps tokens of one use from opening another."""
    return _encode(row.bytes + _mac(purpose, row, version))


def row_of(token: str) -> uuid.UUID | None:
    """Which row a token speaks of, genuine or not; None for what can't be a token."""
    content = _decode(token)
    return uuid.UUID(bytes=content[:16]) if content is not None else None


def is_genuine(token: str, *, purpose: str, row: uuid.UUID, version: int) -> bool:
    """Whether this site made the token for this purpose, row and version. Takes the same time for every answer."""
    content = _decode(token)
    if content is None:
        return False
    return hmac.compare_digest(content, row.bytes + _mac(purpose, row, version))


def _mac(purpose: str, row: uuid.UUID, version: int) -> bytes:
    said = b"\0".join([_DOMAIN, purpose.encode(), row.bytes, str(version).encode()])
    return hmac.digest(settings.LINK_KEY.encode(), said, "sha256")[:_MAC_BYTES]


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _decode(token: str) -> bytes | None:
    """The bytes of a token in its one spelling; the last character has two bits that nothing else fixes."""
    if len(token) != TOKEN_LENGTH or not token.isascii():
        return None
    try:
        content = base64.urlsafe_b64decode(token + "=")
    except (ValueError, binascii.Error):
        return None
    return content if len(content) == 16 + _MAC_BYTES and _encode(content) == token else None
