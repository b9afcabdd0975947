"""Secrets of draws at rest: encrypted with the newest of `DRAW_SECRET_KEYS`, readable with any of them."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class VaultError(Exception):
    """A stored secret can't be read with any key of `DRAW_SECRET_KEYS`."""


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key.strip()) for key in settings.DRAW_SECRET_KEYS])


def seal_secret(secret: bytes) -> str:
    """Encrypt a secret for storing."""
    return _keys().encrypt(secret).decode("ascii")


def open_secret(stored: str) -> bytes:
    """The secret that `seal_secret` stored. Raises `VaultError`."""
    try:
        return _keys().decrypt(stored.encode("ascii"))
    except InvalidToken:
        raise VaultError(
            "The draw's secret can't be read: put the key it was stored with back into DRAW_SECRET_KEYS."
        ) from None


def is_sealed_with_newest(stored: str) -> bool:
    """Whether the first key alone opens it, so that it survives the removal of all others."""
    try:
        Fernet(settings.DRAW_SECRET_KEYS[0].strip()).decrypt(stored.encode("ascii"))
    except InvalidToken:
        return False
    return True
