"""System checks of the settings that rule over acts with money."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks

from payments.limits import read_limits


def check_settings(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """E001: an item of `APPROVAL_LIMITS` can't be read; E002: requests would expire at once."""
    _limits, complaints = read_limits(settings.APPROVAL_LIMITS)
    problems: list[checks.CheckMessage] = [
        checks.Error(f"APPROVAL_LIMITS: {complaint}.", id="payments.E001") for complaint in complaints
    ]
    if settings.APPROVAL_DAYS < 1:
        problems.append(
            checks.Error(
                f"APPROVAL_DAYS is {settings.APPROVAL_DAYS}: what waits for a second person needs a day at least.",
                id="payments.E002",
            )
        )
    return problems
