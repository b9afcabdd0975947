"""System checks of the draws' settings: a typing error shows at start, not at the time of a draw."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.apps import AppConfig
from django.conf import settings
from django.core import checks


def check_relays(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """E001: `DRAND_RELAYS` holds what is not the base address of a web server; W001: fewer than two."""
    problems: list[checks.CheckMessage] = []
    for relay in settings.DRAND_RELAYS:
        parts = urlsplit(relay)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment:
            problems.append(
                checks.Error(
                    f"DRAND_RELAYS: {relay!r} is no base address like https://relay.example", id="draws.E001"
                )
            )
    if len(settings.DRAND_RELAYS) == 1:
        problems.append(
            checks.Warning("DRAND_RELAYS names one relay: while it is down, draws wait.", id="draws.W001")
        )
    return problems


def check_secret_keys(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """E002: `DRAW_SECRET_KEYS` holds what is no Fernet key."""
    for number, key in enumerate(settings.DRAW_SECRET_KEYS, start=1):
        try:
            Fernet(key.strip())
        except ValueError:
            return [checks.Error(f"DRAW_SECRET_KEYS: number {number} is no Fernet key", id="draws.E002")]
    return []
