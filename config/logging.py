"""Logging: one JSON line an event in production, readable lines on a terminal.

Request and task ids come from contextvars, the person from the request. Whatever a line holds goes through
`config.redaction` last, also what libraries say.
"""

import os
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from config.log_context import add_user
from config.redaction import own_secrets, redacted

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
FORMATS = ("json", "text")

_JSON = os.environ.get("LOG_FORMAT", "text" if sys.stderr.isatty() else "json") != "text"
_LEVEL = os.environ.get("LOG_LEVEL", "INFO").upper()
_SECRETS = own_secrets()


def hide_secrets(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Processor of structlog: nothing secret or personal leaves. The time is our own clock's, see below."""
    moment = event.pop("timestamp", None)
    found: dict[str, Any] = redacted(dict(event), _SECRETS)
    return found if moment is None else {**found, "timestamp": moment}


_shared: list[Any] = [
    structlog.contextvars.merge_contextvars,
    add_user,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]

structlog.configure(
    processors=[*_shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "site": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": _shared,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                hide_secrets,
                structlog.processors.JSONRenderer() if _JSON else structlog.dev.ConsoleRenderer(colors=False),
            ],
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "site"}},
    # A level that is none is named by a system check, and must not keep that from being read.
    "root": {"handlers": ["stderr"], "level": _LEVEL if _LEVEL in LEVELS else "INFO"},
    "loggers": {
        "django": {"level": "INFO", "propagate": True, "handlers": []},
        # What was refused is in our own line about the request, without its address.
        "django.request": {"level": "ERROR"},
        "django.server": {"level": "WARNING", "propagate": True, "handlers": []},
        # Beat announces each of its frequent sweeps: noise, unless one fails.
        "celery.beat": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        # Four lines for each sign-in, of which the admin shows what matters.
        "axes": {"level": "ERROR"},
    },
}
