"""Telling a worker that there is work, so that nobody waits for the next sweep."""

import time

import structlog
from celery import current_app

log = structlog.get_logger(__name__)

SWEEP = "notifications.tasks.sweep"
QUIET_SECONDS = 5.0
# An unreachable broker costs a second to find out; the sweep comes anyway, so it is not asked again at once.
_quiet_until = 0.0


def wake(task: str = SWEEP) -> None:
    """Hint that `task`, a sweep, is due. Never raises: without a broker its next beat does the work."""
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return
    try:
        current_app.send_task(task, retry=False, expires=60)
    except Exception as error:  # kombu lets through whatever its transport raises
        _quiet_until = time.monotonic() + QUIET_SECONDS
        log.warning("wake_failed", error=str(error))
