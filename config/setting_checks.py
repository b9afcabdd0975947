"""A check for each setting of the environment that can be wrong, in sentences that say what to do.

Errors hold the site up; warnings are for `check --deploy`, because a developer's site may well leave them. Settings
that an app owns are checked there: `accounts.checks`, `payments.checks`, `draws.checks`, `config.checks`; those that
Django checks itself (SECRET_KEY, ALLOWED_HOSTS, DEBUG, SECURE_…, CSRF_TRUSTED_ORIGINS) by Django.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from config.checks import LEAST_SECRET
from config.logging import FORMATS, LEVELS
from config.operations.webhook import secret_bytes
from config.operations_settings import BEAT_SYNC_S

LEAST_BEAT_LATE_S = 3 * BEAT_SYNC_S
LEAST_WORKER_LATE_S = 60
_NOT_NEGATIVE = (
    "WATCH_SECONDS",
    "FORM_LIMIT_MEMBER",
    "FORM_LIMIT_ADDRESS",
    "FORM_LIMIT_STRANGER",
    "DATABASE_POOL_SIZE",
)
_DISCARDING = (
    "django.core.mail.backends.console.EmailBackend",
    "django.core.mail.backends.dummy.EmailBackend",
    "django.core.mail.backends.locmem.EmailBackend",
    "django.core.mail.backends.filebased.EmailBackend",
)


def check_settings(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """What can't work."""
    return [checks.Error(text, id=f"config.{number}") for rule in _ERRORS for number, text in rule()]


def check_production(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """What a site that people use should not be without; asked by `check --deploy` alone."""
    return [checks.Warning(text, id=f"config.{number}") for rule in _WARNINGS for number, text in rule()]


Found = Iterator[tuple[str, str]]


def _site_url() -> Found:
    parts = urlsplit(settings.SITE_URL)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        yield (
            "E003",
            f"SITE_URL is {settings.SITE_URL!r}: write the whole address, as in https://fairground.example.",
        )


def _database_url() -> Found:
    scheme = urlsplit(os.environ.get("DATABASE_URL", "postgres://")).scheme
    if scheme not in ("postgres", "postgresql", "pgsql"):
        yield (
            "E015",
            f"DATABASE_URL begins with {scheme!r}: the site needs PostgreSQL, postgres://user:password@host/name.",
        )


def _redis_url() -> Found:
    if urlsplit(settings.REDIS_URL).scheme not in ("redis", "rediss", "unix"):
        yield "E004", "REDIS_URL is no address of a Redis: write redis://:password@host:6379/0."


def _numbers() -> Found:
    for name in _NOT_NEGATIVE:
        if getattr(settings, name) < 0:
            yield "E005", f"{name} is below zero: set it to 0 or more."


def _uploads() -> Found:
    if settings.UPLOAD_MAX_BYTES < 1:
        yield "E016", "UPLOAD_MAX_MB is below 1: nobody could import entries."


def _silences() -> Found:
    if settings.BEAT_LATE_SECONDS < LEAST_BEAT_LATE_S:
        yield "E006", f"BEAT_LATE_SECONDS is below {LEAST_BEAT_LATE_S}: a beat that runs would count as dead."
    if settings.WORKER_LATE_SECONDS < LEAST_WORKER_LATE_S:
        yield (
            "E007",
            f"WORKER_LATE_SECONDS is below {LEAST_WORKER_LATE_S}: a worker that runs would count as dead.",
        )


def _webhook() -> Found:
    parts = urlsplit(settings.ALERT_WEBHOOK)
    if settings.ALERT_WEBHOOK and (parts.scheme not in ("http", "https") or not parts.hostname):
        yield "E008", "ALERT_WEBHOOK is no address of the web: write the whole of it, with https://."
    if settings.ALERT_WEBHOOK_SECRET:
        try:
            secret_bytes(settings.ALERT_WEBHOOK_SECRET)
        except ValueError as error:
            yield "E009", f"ALERT_WEBHOOK_SECRET can't be used ({error}): make one as .env.example says."


def _addresses() -> Found:
    for address in settings.ALERT_EMAILS:
        if not _is_mail_address(address):
            yield "E010", f"ALERT_EMAILS: {address!r} is no e-mail address; separate several by commas."
    if not _is_mail_address(parseaddr(settings.DEFAULT_FROM_EMAIL)[1]):
        yield "E011", "DEFAULT_FROM_EMAIL is no sender: write it like Fairground <hello@fairground.example>."


def _twilio() -> Found:
    given = {
        name: bool(getattr(settings, name))
        for name in (
            "TWILIO_ACCOUNT_SID",
            "TWILIO_AUTH_TOKEN",
            "TWILIO_FROM",
            "TWILIO_MESSAGING_SERVICE_SID",
            "TWILIO_WHATSAPP_FROM",
        )
    }
    if not any(given.values()):
        return
    missing = [name for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN") if not given[name]]
    if missing:
        there = ", ".join(name for name, is_set in given.items() if is_set)
        lacking = " and ".join(missing)
        yield "E017", f"{there} without {lacking}: set all of an account's settings, or none of them."
    elif not any(list(given.values())[2:]):
        yield (
            "E018",
            "TWILIO_ACCOUNT_SID has nothing to send from: set TWILIO_FROM or TWILIO_MESSAGING_SERVICE_SID, TWILIO_WHATSAPP_FROM, "
            "or both.",
        )
    if given["TWILIO_ACCOUNT_SID"] and not settings.TWILIO_ACCOUNT_SID.startswith("AC"):
        yield "E019", "TWILIO_ACCOUNT_SID is no account of Twilio's: it begins with AC."
    if given["TWILIO_MESSAGING_SERVICE_SID"] and not settings.TWILIO_MESSAGING_SERVICE_SID.startswith("MG"):
        yield "E020", "TWILIO_MESSAGING_SERVICE_SID is no messaging service of Twilio's: it begins with MG."
    number = settings.TWILIO_WHATSAPP_FROM.removeprefix("whatsapp:")
    if number and not (number.startswith("+") and number[1:].isdigit()):
        yield "E021", "TWILIO_WHATSAPP_FROM is no number: write it like +14155238886."
    if settings.TWILIO_TIMEOUT_S <= 0:
        yield "E022", "TWILIO_TIMEOUT_S is not above zero: set it to the seconds that Twilio has to answer."


def _rates() -> Found:
    for channel, rate in settings.NOTIFICATION_RATES.items():
        if rate < 0:
            yield (
                "E023",
                f"{channel.upper()}_RATE is below zero: set it to messages a second, or 0 for no limit.",
            )


def _logs() -> Found:
    level, form = os.environ.get("LOG_LEVEL", "INFO"), os.environ.get("LOG_FORMAT", "json")
    if level.upper() not in LEVELS:
        yield "E012", f"LOG_LEVEL is {level!r}: set it to one of {', '.join(LEVELS)}."
    if form not in FORMATS:
        yield "E013", f"LOG_FORMAT is {form!r}: set it to {' or '.join(FORMATS)}."


def _folders() -> Found:
    for name in ("STATIC_ROOT", "MEDIA_ROOT"):
        if not Path(getattr(settings, name)).is_absolute():
            yield "E014", f"{name} is {getattr(settings, name)!r}: write the whole path, from / on."


def _production_url() -> Found:
    if not settings.EMBEDDED and urlsplit(settings.SITE_URL).scheme != "https":
        yield "W002", "SITE_URL is not https://: the links in mails would lead to pages without TLS."


def _links() -> Found:
    if len(settings.LINK_KEY) < LEAST_SECRET:
        yield (
            "W003",
            f"LINK_KEY is shorter than {LEAST_SECRET} characters: make a random one, as in .env.example.",
        )


def _mail() -> Found:
    if not settings.EMBEDDED and settings.EMAIL_BACKEND in _DISCARDING:
        yield (
            "W004",
            "No mail is sent: set EMAIL_URL to your mail server, as in smtp+tls://user:password@host:587.",
        )


def _proxies() -> Found:
    if (
        not settings.EMBEDDED
        and getattr(settings, "SECURE_PROXY_SSL_HEADER", None)
        and not settings.TRUSTED_PROXIES
    ):
        yield (
            "W005",
            "TRUSTED_PROXIES is empty, so that everybody behind your proxy counts as one address: set it to the "
            "proxy's address, or BEHIND_TLS_PROXY=0 if there is none.",
        )


def _metrics() -> Found:
    if 0 < len(settings.METRICS_TOKEN) < LEAST_SECRET:
        yield "W006", f"METRICS_TOKEN is shorter than {LEAST_SECRET} characters: make a random one."


def _alarms() -> Found:
    if not settings.WATCH_SECONDS:
        yield "W007", "WATCH_SECONDS is 0, so that nobody notices a dead beat: leave it out for 30 seconds."
    if not settings.EMBEDDED and not settings.ALERT_WEBHOOK and not settings.ALERT_EMAILS:
        yield (
            "W008",
            "Alarms go to Super Admins by mail alone: set ALERT_WEBHOOK or ALERT_EMAILS to where somebody looks at night.",
        )
    if settings.ALERT_WEBHOOK.startswith("http://") and not settings.EMBEDDED:
        yield (
            "W009",
            "ALERT_WEBHOOK is not https://: what is wrong with the site would be readable on the way.",
        )


def _sender() -> Found:
    if not settings.EMBEDDED and parseaddr(settings.DEFAULT_FROM_EMAIL)[1].endswith(".example"):
        yield (
            "W010",
            "DEFAULT_FROM_EMAIL ends with .example, which no server takes: set it to an address of your own.",
        )


def _is_mail_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True


Rule = Callable[[], Found]
_ERRORS: tuple[Rule, ...] = (
    _site_url,
    _database_url,
    _redis_url,
    _numbers,
    _uploads,
    _silences,
    _webhook,
    _addresses,
    _twilio,
    _rates,
    _logs,
    _folders,
)
_WARNINGS: tuple[Rule, ...] = (_production_url, _links, _mail, _proxies, _metrics, _alarms, _sender)
