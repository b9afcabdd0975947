"""System checks of the settings about signing in."""

from collections.abc import Sequence
from typing import Any

from cryptography.fernet import Fernet
from django.apps import AppConfig
from django.conf import settings
from django.core import checks

LEAST_TOKEN = 32
"""Characters of `ADMIN_SETUP_TOKEN`: what makes a Super Admin must not be guessed."""


def check_fresh_sign_in(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """E001: nobody could ever be signed in freshly enough to move money."""
    if settings.FRESH_SIGN_IN_MINUTES >= 1:
        return []
    return [
        checks.Error(
            f"FRESH_SIGN_IN_MINUTES is {settings.FRESH_SIGN_IN_MINUTES}: staff need a minute at least.",
            id="accounts.E001",
        )
    ]


def check_sign_in(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """E002: staff without a second factor on a real site; E003: a key that is none; E004: locks that never or always
    hold; E005: a token that can be guessed."""
    problems: list[checks.CheckMessage] = []
    if not settings.STAFF_SECOND_FACTOR and not settings.EMBEDDED:
        text = "STAFF_SECOND_FACTOR is off: only an embedded demo may let staff in without a second factor."
        problems.append(checks.Error(text, hint="Take the setting out.", id="accounts.E002"))
    for number, key in enumerate(settings.SECOND_FACTOR_KEYS, start=1):
        try:
            Fernet(key.strip())
        except ValueError:
            text = f"SECOND_FACTOR_KEYS: number {number} is no Fernet key"
            problems.append(checks.Error(text, hint="Make one as in docs/settings.md.", id="accounts.E003"))
    for name in ("SIGN_IN_FAILURES", "SIGN_IN_LOCK_MINUTES"):
        if getattr(settings, name) < 1:
            text = f"{name} is {getattr(settings, name)}: it has to be 1 at least."
            problems.append(checks.Error(text, id="accounts.E004"))
    if 0 < len(settings.ADMIN_SETUP_TOKEN) < LEAST_TOKEN:
        text = f"ADMIN_SETUP_TOKEN is shorter than {LEAST_TOKEN} characters: it opens nothing."
        problems.append(checks.Error(text, hint="Make a random one, as in .env.example.", id="accounts.E005"))
    return problems
