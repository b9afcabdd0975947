"""Logging: one JSON line an event in production, readable lines on a terminal.

Request and task ids come from contextvars, the person from the request. Whatever a line holds goes through
`config.redaction` last, also what libraries say.
"""

import json
import logging
import os
import sys
from collections.abc import MutableMapping
from contextlib import nullcontext
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


class LineHandler(logging.StreamHandler[Any]):
    """Makes a line before it takes its lock, which is held for the writing alone: threads that log wait less for each other."""

    def handle(self, record: logging.LogRecord) -> bool:
        wanted = bool(self.filter(record))
        if wanted:
            self.emit(record)
        return wanted

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record) + self.terminator
            with self.lock or nullcontext():
                self.stream.write(line)
                self.stream.flush()
        except RecursionError:
            raise
        except Exception:
            self.handleError(record)


class LineFormatter(structlog.stdlib.ProcessorFormatter):
    """What structlog's own does, without copying a record that already holds no more than an event of ours."""

    def format(self, record: logging.LogRecord) -> str:
        given = record.__dict__
        if not isinstance(record.msg, dict) or "_logger" not in given:
            return super().format(record)  # a library's
        event: Any = record.msg | {"_record": record, "_from_structlog": True}
        for process in self.processors:
            event = process(given["_logger"], given["_name"], event)
        return str(event)


_ENCODER = json.JSONEncoder(default=repr)


def as_json(event: Any, **_options: Any) -> str:
    """An event as a line: what `json.dumps` does, without making an encoder each time."""
    return _ENCODER.encode(event)


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
            "()": LineFormatter,
            "foreign_pre_chain": _shared,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                hide_secrets,
                structlog.processors.JSONRenderer(as_json)
                if _JSON
                else structlog.dev.ConsoleRenderer(colors=False),
            ],
        }
    },
    "handlers": {"stderr": {"class": "config.logging.LineHandler", "formatter": "site"}},
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
