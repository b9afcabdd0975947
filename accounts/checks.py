"""System checks of the settings about signing in."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks


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
