"""The watcher: a thread of each web process that looks every `WATCH_SECONDS` whether something is wrong.

It needs neither beat nor worker nor Redis, which are what it watches. Of all processes of all hosts one looks in each
period (`signs.take_turn`); should that one die, the next period has another. Commands and tests have no watcher: it
is started by the WSGI entry point alone.
"""

import datetime as dt
import threading

import structlog
from django.conf import settings
from django.db import connections
from django.utils import timezone

from config.operations import alarms, signs

log = structlog.get_logger(__name__)

_SHARE = 0.9  # of the period: who wakes up a moment early still finds it over


class Watcher(threading.Thread):
    """Looks for as long as its process lives."""

    def __init__(self, *, every_s: float, since: dt.datetime) -> None:
        super().__init__(name="watcher", daemon=True)
        self._every_s = every_s
        self._since = since
        self._over = threading.Event()

    def run(self) -> None:
        """Look once a period; what goes wrong in one look is logged, and the next one is not the worse for it."""
        while not self._over.wait(self._every_s):
            self.look()

    def look(self) -> None:
        """One look, if it is this process's turn."""
        try:
            if signs.take_turn(every_s=self._every_s * _SHARE):
                alarms.watch(now=timezone.now(), watched_since=self._since)
        except Exception:  # the database may be away: `/readyz` tells the outside of that
            log.exception("watch_failed")
        finally:
            connections.close_all()

    def stop(self) -> None:
        """End after the look that may be under way."""
        self._over.set()


def start_watcher() -> Watcher | None:
    """Start it for this process; None where `WATCH_SECONDS` is 0."""
    if settings.WATCH_SECONDS <= 0:
        return None
    watcher = Watcher(every_s=settings.WATCH_SECONDS, since=timezone.now())
    watcher.start()
    return watcher
