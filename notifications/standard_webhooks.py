"""Signatures as Standard Webhooks has them (standardwebhooks.com, version 1). Pure functions."""

import base64
import binascii
import hashlib
import hmac

SECRET_START = "whsec_"  # noqa: S105  (how every such secret begins)


def secret_bytes(secret: str) -> bytes:
    """The key in a secret like `whsec_…`. Raises ValueError when it is none."""
    if not secret.startswith(SECRET_START):
        raise ValueError("it does not begin with whsec_")
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_START), validate=True)
    except binascii.Error:
        raise ValueError("what follows whsec_ is not base64") from None
    if not 24 <= len(key) <= 64:
        raise ValueError("it has to hold 24 to 64 bytes")
    return key


def secret_of(key: bytes) -> str:
    """A key as receivers are given it."""
    return SECRET_START + base64.b64encode(key).decode()


def signature(*, secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the HMAC-SHA256 of id, time and body."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(secret_bytes(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
