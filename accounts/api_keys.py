"""Personal API keys: how one is made, and who stands behind one that is shown.

A key reads `fg_<prefix>_<secret>`. The prefix finds the row and may be shown; of the secret only the SHA-256 is
kept. It is 256 random bits, so a plain hash is enough: nobody can try them out.
"""

import datetime as dt
import hmac
import re
import secrets
from hashlib import sha256

from django.db.models import Q

from accounts.models import ApiKey

KEY_START = "fg_"
USE_NOTED_EVERY = dt.timedelta(minutes=10)
"""How coarse `last_used_at` is: so that a thousand requests are one write."""

_TOKEN = re.compile(r"fg_(?P<prefix>[0-9a-f]{12})_(?P<secret>[A-Za-z0-9_-]{43})")
_NOBODY = "0" * 64


class ApiKeyRefusedError(Exception):
    """The key opens nothing. `code` says why, and tells nothing to one who does not hold the secret."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def new_secret() -> tuple[str, str]:
    """A fresh (prefix, secret): 48 bits that name the key, 256 bits that open it."""
    return secrets.token_hex(6), secrets.token_urlsafe(32)


def token_of(prefix: str, secret: str) -> str:
    """The key as its owner gets to see it, once."""
    return f"{KEY_START}{prefix}_{secret}"


def secret_sha256(secret: str) -> str:
    """What is kept of a secret: lower-case hex."""
    return sha256(secret.encode()).hexdigest()


def key_behind(token: str, *, now: dt.datetime) -> ApiKey:
    """The key, with its owner, that `token` is the secret of; notes its use.

    Raises `ApiKeyRefusedError`: `key_invalid`, or for the right secret `key_revoked` or `key_expired`. Takes the same
    time for an unknown prefix as for a wrong secret.
    """
    match = _TOKEN.fullmatch(token)
    key = ApiKey.objects.select_related("owner").filter(prefix=match["prefix"]).first() if match else None
    given = secret_sha256(match["secret"] if match else token)
    is_right = hmac.compare_digest(given, key.secret_sha256 if key else _NOBODY)
    if key is None or not is_right or not key.owner.is_active:
        raise ApiKeyRefusedError("key_invalid")
    if key.revoked_at is not None:
        raise ApiKeyRefusedError("key_revoked")
    if key.is_expired(now):
        raise ApiKeyRefusedError("key_expired")
    _note_use(key, now=now)
    return key


def _note_use(key: ApiKey, *, now: dt.datetime) -> None:
    before = now - USE_NOTED_EVERY
    if key.last_used_at is None or key.last_used_at < before:
        stale = ApiKey.objects.filter(pk=key.pk).filter(Q(last_used_at=None) | Q(last_used_at__lt=before))
        stale.update(last_used_at=now)
