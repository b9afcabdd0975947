"""What is done to a real site in a storm: its processes die, its database and its Redis vanish for a moment."""

import contextlib
import datetime as dt
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import psutil
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks

from draws.models import Draw
from notifications.models import Delivery, Message, State
from tests.draws.processes import cut_connections, database_gone
from tests.live import LiveSite
from tests.own_redis import OwnRedis

SITE = "storm"  # the name under which the site's processes connect
LONGEST_S = 1.5  # how long something may be gone


@dataclass
class Storm:
    """The site's worker and beat over `database` and `redis`, and what is done to them; `blows` counts it."""

    site: LiveSite
    database: Any
    redis: OwnRedis
    chance: random.Random
    blows: Counter[str] = field(default_factory=Counter)
    gave_up: int = 0  # how often a process ended without having been killed

    def __post_init__(self) -> None:
        self.worker = self.site.start_worker(concurrency=2)
        self.beat = self.site.start_beat()

    def supervise(self) -> None:
        """Start again what ended by itself, as the supervisor does: Celery may give up when Redis goes."""
        if not self.worker.is_alive:
            self.gave_up += 1
            self.worker = self.site.start_worker(concurrency=2, wait=False)
        if not self.beat.is_alive:
            self.gave_up += 1
            self.beat = self.site.start_beat(wait=False)

    def explain(self) -> None:
        """Have the worker write into its log where it stands (Celery does so at SIGUSR1); for a test that failed."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.worker.pid, signal.SIGUSR1)
            time.sleep(2)
        print(f"blows: {dict(self.blows)}; worker alive: {self.worker.is_alive}", self.worker.log[-9000:])

    def strike(self) -> None:
        """Something dies or vanishes; what was killed is started again."""
        blows = [self.kill_workers_children] * 6 + [self.kill_worker] * 4 + [self.cut_connections] * 3
        blows += [self.kill_beat, self.take_database_away, self.flush_redis, self.kill_redis, self.hang_redis]
        self._do(self.chance.choice(blows))

    def kill_worker(self) -> None:
        """kill -9 all of it."""
        self.worker.kill()
        self.worker = self.site.start_worker(concurrency=2, wait=False)

    def kill_workers_children(self) -> None:
        """kill -9 the processes that do the work; the worker starts others."""
        for process in psutil.Process(self.worker.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def kill_beat(self) -> None:
        """kill -9."""
        self.beat.kill()
        self.beat = self.site.start_beat(wait=False)

    def cut_connections(self) -> None:
        """Every one that the site has to the database."""
        cut_connections(self.database, of=SITE)

    def take_database_away(self) -> None:
        """For a moment nobody gets in."""
        with database_gone(self.database, of=SITE):
            self._pass_time()

    def flush_redis(self) -> None:
        """FLUSHALL."""
        self.redis.flush()

    def kill_redis(self) -> None:
        """kill -9; it comes back empty."""
        self.redis.kill()
        self._pass_time()
        self.redis.start()

    def hang_redis(self) -> None:
        """It takes connections and does not answer."""
        self.redis.pause()
        self._pass_time()
        self.redis.resume()

    def rest(self) -> None:
        """The worker dies once more, and five minutes pass: mails it had claimed are another's now."""
        self.blows["kill_worker"] += 1
        self.worker.kill()
        Delivery.objects.filter(state=State.CLAIMED).update(
            lease_until=timezone.now() - dt.timedelta(seconds=1)
        )
        self.worker = self.site.start_worker(concurrency=2, wait=False)

    def _do(self, blow: Any) -> None:
        self.blows[blow.__name__] += 1
        blow()

    def _pass_time(self) -> None:
        time.sleep(self.chance.uniform(0, LONGEST_S))


def named(url: str) -> str:
    """The database's address, with the name under which the site connects."""
    return f"{url}{'&' if '?' in url else '?'}application_name={SITE}"


def let_jobs_run_every_second() -> None:
    """As an admin can have it; life is short here."""
    second, _ = IntervalSchedule.objects.get_or_create(every=1, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.filter(name__in=JOBS).update(interval=second)
    PeriodicTasks.update_changed()


JOBS = ("draws: freeze", "draws: execute", "draws: expire awards", "notifications: sweep")


def let_waits_end() -> None:
    """What failed and waits for its next turn has it now."""
    now = timezone.now()
    Draw.objects.filter(next_attempt_at__gt=now, executed_at=None).update(next_attempt_at=now)
    Message.objects.filter(expanded_at=None, not_before__lte=now, expand_after__gt=now).update(
        expand_after=now
    )
    Delivery.objects.filter(state=State.RETRY, next_attempt_at__gt=now).update(next_attempt_at=now)
