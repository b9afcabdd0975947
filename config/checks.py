"""System checks of the API's settings."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core import checks

LEAST_SECRET = 32
"""Characters of `CRON_SECRET`: what opens money must not be guessed."""


def check_api(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """E001: an origin that no browser sends; W001: a secret that is too short; E002: a limit below zero."""
    problems: list[checks.CheckMessage] = []
    for origin in settings.CORS_ALLOWED_ORIGINS:
        parts = urlsplit(origin)
        if f"{parts.scheme}://{parts.netloc}" != origin or parts.scheme not in ("http", "https"):
            text = f"CORS_ALLOWED_ORIGINS: {origin!r} is no origin; write it like https://app.example"
            problems.append(checks.Error(text, id="config.E001"))
    if 0 < len(settings.CRON_SECRET) < LEAST_SECRET:
        text = f"CRON_SECRET is shorter than {LEAST_SECRET} characters."
        problems.append(checks.Warning(text, hint="Make a random one, as in .env.example.", id="config.W001"))
    for name in ("API_LIMIT_KEY", "API_LIMIT_MEMBER", "API_LIMIT_ADDRESS"):
        if getattr(settings, name) < 0:
            problems.append(checks.Error(f"{name} is below zero; 0 is no limit.", id="config.E002"))
    return problems
