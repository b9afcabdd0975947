"""System checks of the settings that rule over acts with money, and of those of Paystack."""

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

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


_KEY = re.compile(r"sk_(?:live|test)_[A-Za-z0-9]{16,100}")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def check_paystack(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """What can't work with Paystack, or would be dangerous."""
    return [checks.Error(text, id=f"payments.{number}") for number, text in _wrong_with_paystack()]


def check_paying(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Asked by `check --deploy` alone. W001: nobody can pay; W002: what they pay with is no money."""
    key = settings.PAYSTACK_SECRET_KEY
    problems: list[checks.CheckMessage] = []
    if not key:
        text = "PAYSTACK_SECRET_KEY is not set: nobody can buy anything. Set it to your sk_live_ key."
        problems.append(checks.Warning(text, id="payments.W001"))
    elif key.startswith("sk_test_") and not settings.EMBEDDED:
        text = "PAYSTACK_SECRET_KEY is a test key: people would get for nothing what they pay for."
        problems.append(checks.Warning(text, id="payments.W002"))
    return problems


def _wrong_with_paystack() -> Iterator[tuple[str, str]]:
    key, old_key = settings.PAYSTACK_SECRET_KEY, settings.PAYSTACK_OLD_SECRET_KEY
    for name, value in (("PAYSTACK_SECRET_KEY", key), ("PAYSTACK_OLD_SECRET_KEY", old_key)):
        if value and not _KEY.fullmatch(value):
            yield "E003", f"{name} is no secret key of Paystack: it begins with sk_live_ or sk_test_."
    if settings.DEBUG and "sk_live_" in key + old_key:
        yield (
            "E004",
            "DEBUG is on with a live key of Paystack, and its pages of errors would show too much: turn DEBUG off, "
            "or use a test key.",
        )
    if key[:8] != old_key[:8] and old_key:
        yield (
            "E005",
            "PAYSTACK_OLD_SECRET_KEY is of the other mode: test webhooks must not count as live ones.",
        )
    parts = urlsplit(settings.PAYSTACK_BASE_URL)
    inside = settings.PAYSTACK_STANDIN or parts.hostname in _LOOPBACK
    if not parts.hostname or parts.scheme not in (("https", "http") if inside else ("https",)):
        yield "E006", "PAYSTACK_BASE_URL has to begin with https://: the secret key goes there."
    if parts.query or parts.fragment or parts.username:
        yield "E006", "PAYSTACK_BASE_URL has to be an address alone, as in https://api.paystack.co."
    if not 1 <= settings.PAYSTACK_TIMEOUT_S <= 60:
        yield "E007", "PAYSTACK_TIMEOUT_S has to be between 1 and 60 seconds: pages wait so long."
    if settings.PAYMENTS_WEBHOOK_BODY_DAYS < 1:
        yield (
            "E008",
            f"PAYMENTS_WEBHOOK_BODY_DAYS is {settings.PAYMENTS_WEBHOOK_BODY_DAYS}: what Paystack told would be gone before "
            "anybody could look into it. Set it to 1 or more.",
        )
