"""System checks of Mailgun's settings: half of them sends nothing, or hears nothing of what was sent."""

import os
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core import checks


def check_mailgun(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """E020: one of key and domain is missing; E021, E022: an address or a domain that is none."""
    return list(_errors())


def check_mailgun_in_production(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """W020: nobody hears of bounces; W021: a mail server that nobody uses."""
    return list(_warnings())


def _errors() -> Iterator[checks.CheckMessage]:
    if bool(settings.MAILGUN_API_KEY) != bool(settings.MAILGUN_SENDER_DOMAIN):
        missing = "MAILGUN_SENDER_DOMAIN" if settings.MAILGUN_API_KEY else "MAILGUN_API_KEY"
        yield checks.Error(
            f"{missing} is missing, so that no mail goes by Mailgun: set it, or leave the other out as well.",
            id="notifications.E020",
        )
    address = urlsplit(settings.MAILGUN_API_URL)
    is_local = address.hostname in ("127.0.0.1", "localhost") and address.scheme == "http"
    if not address.hostname or (address.scheme != "https" and not is_local) or address.query:
        yield checks.Error(
            f"MAILGUN_API_URL is {settings.MAILGUN_API_URL!r}: write https://api.mailgun.net/v3, or for domains "
            "in the EU https://api.eu.mailgun.net/v3.",
            id="notifications.E021",
        )
    domain = settings.MAILGUN_SENDER_DOMAIN
    if domain and (set(domain) & set("/:@ ") or "." not in domain):
        yield checks.Error(
            f"MAILGUN_SENDER_DOMAIN is {domain!r}: write the domain alone, as in mg.fairground.example.",
            id="notifications.E022",
        )


def _warnings() -> Iterator[checks.CheckMessage]:
    if not settings.MAILGUN_API_KEY:
        return
    if not settings.MAILGUN_WEBHOOK_SIGNING_KEY:
        yield checks.Warning(
            "MAILGUN_WEBHOOK_SIGNING_KEY is empty, so that bounces and complaints are not heard of: set it to the "
            "signing key of Mailgun's webhooks, and let them lead to /webhooks/mailgun/.",
            id="notifications.W020",
        )
    if os.environ.get("EMAIL_URL"):
        yield checks.Warning(
            "EMAIL_URL is not used, because Mailgun is set up: leave one of them out.",
            id="notifications.W021",
        )
