"""Is the draw engine alive, and what waits for it: for the API, outside monitors and the admin's home."""

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache
from django.db.models import Max
from django_celery_beat.models import PeriodicTask

from draws.models import Draw

_OUTSIDE_RUN = "draws:outside-run"
_OUTSIDE_RUN_KEPT_S = 86_400


def beat_late_after() -> dt.timedelta:
    """After how long the silence of whoever runs the jobs means something."""
    return dt.timedelta(seconds=settings.BEAT_LATE_SECONDS)


@dataclass(frozen=True)
class Health:
    """`healthy`: something runs the jobs, and no draw is overdue. `last_beat_at` is None when nothing ever ran them."""

    healthy: bool
    timestamp: dt.datetime
    last_beat_at: dt.datetime | None
    overdue_draws: int

    @property
    def last_beat_age_s(self) -> int | None:
        """Whole seconds since the last beat."""
        if self.last_beat_at is None:
            return None
        return max(0, int((self.timestamp - self.last_beat_at).total_seconds()))


def last_beat() -> dt.datetime | None:
    """When beat last noted that it had sent a job."""
    last: dt.datetime | None = PeriodicTask.objects.aggregate(last=Max("last_run_at"))["last"]
    return last


def note_outside_run(*, now: dt.datetime) -> None:
    """An outside scheduler has run the jobs. Kept in Redis alone: lost, it is seen again at the next run."""
    cache.set(_OUTSIDE_RUN, now, _OUTSIDE_RUN_KEPT_S)


def last_run(beat_at: dt.datetime | None) -> dt.datetime | None:
    """When the jobs were last sent: by beat, whose time the caller knows, or by an outside scheduler."""
    return max((at for at in (beat_at, cache.get(_OUTSIDE_RUN)) if at is not None), default=None)


def executor_health(*, now: dt.datetime) -> Health:
    """Whether draws will be executed at their time. Beat and an outside scheduler count alike."""
    last = last_run(last_beat())
    overdue = Draw.objects.overdue(now).count()
    is_alive = last is not None and last >= now - beat_late_after()
    return Health(is_alive and not overdue, now, last, overdue)
