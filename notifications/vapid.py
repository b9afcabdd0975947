"""The key by which push services know this site (RFC 8292), and the public half of it that browsers subscribe with."""

import base64
import binascii
import re
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CURVE = ec.SECP256R1()
SUBJECT = re.compile(r"(mailto:[^@\s]+@|https://)(localhost|[\w-]+(\.[\w-]+)+)")
"""What may stand in `VAPID_SUBJECT`: whom a push service writes to when this site sends nonsense."""


@lru_cache(maxsize=4)
def public_key_of(private_key: str) -> str:
    """The public half in base64url, as `PushManager.subscribe` takes it. Raises ValueError for what is no key."""
    try:
        secret = from_base64url(private_key)
        if len(secret) != 32:
            raise ValueError
        key = ec.derive_private_key(int.from_bytes(secret, "big"), CURVE)
    except (ValueError, binascii.Error):
        raise ValueError("The key has to be 32 random bytes as base64url: 43 characters.") from None
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """The bytes of a text in base64url, with or without `=` at its end. Raises ValueError (`binascii.Error` is one)."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+={0,2}", text):
        raise ValueError("This is no base64url.")
    text = text.rstrip("=")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
