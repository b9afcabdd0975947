"""What is measured: one function each, cheap enough for every few seconds. What counts as wrong stands in `troubles.py`."""

import datetime as dt
from dataclasses import dataclass

import redis
from celery import current_app
from django.conf import settings
from django.db.models import Min
from django_celery_beat.models import PeriodicTask

from audit.models import Record
from audit.services import newest_seal
from config.models import Sign
from config.operations import signs
from config.schedule import WORKER_JOBS
from draws.models import Draw
from draws.services.monitoring import last_beat, last_run
from notifications.models import Delivery, Message

REDIS_TIMEOUT_S = 1.0


@dataclass(frozen=True)
class Clockwork:
    """Who runs the jobs. `runs_at`: the last job sent by beat or an outside scheduler; `workers`: by queue, the last job
    that arrived there, None when none ever did. Queues whose job an admin has switched off are left out."""

    runs_at: dt.datetime | None
    beat_at: dt.datetime | None
    workers: dict[str, dt.datetime | None]


@dataclass(frozen=True)
class Waiting:
    """What is due and waits, by the oldest of each kind; None where nothing does."""

    draw_at: dt.datetime | None
    freeze_at: dt.datetime | None
    delivery_at: dt.datetime | None
    message_at: dt.datetime | None

    @property
    def oldest_draw_at(self) -> dt.datetime | None:
        """Since when a draw waits to be frozen or executed."""
        return min((at for at in (self.draw_at, self.freeze_at) if at), default=None)

    @property
    def oldest_delivery_at(self) -> dt.datetime | None:
        """Since when somebody waits to be told something."""
        return min((at for at in (self.delivery_at, self.message_at) if at), default=None)


def redis_client() -> redis.Redis:
    """A connection of one's own that gives up soon."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=REDIS_TIMEOUT_S,
        socket_connect_timeout=REDIS_TIMEOUT_S,
        retry=None,
    )


def redis_problem() -> str:
    """Why Redis can't be used; empty when it can."""
    try:
        with redis_client() as client:
            client.ping()
    except (redis.RedisError, OSError, ValueError) as error:
        return str(error) or type(error).__name__
    return ""


def queue_lengths() -> dict[str, int]:
    """Messages that wait in each queue. Raises `redis.RedisError` or `OSError`."""
    with redis_client() as client:
        return {queue: int(client.llen(queue)) for queue in signs.QUEUES}


def answering_workers(*, timeout_s: float = 1.5) -> dict[str, list[str]]:
    """Queues by the name of each worker that answers within `timeout_s`; asks over Redis, and may raise what that does."""
    found = current_app.control.inspect(timeout=timeout_s).active_queues() or {}
    return {name: sorted(queue["name"] for queue in queues) for name, queues in sorted(found.items())}


def clockwork(*, seen: dict[str, Sign] | None = None) -> Clockwork:
    """Who runs the jobs; `seen` are the signs of life, where the caller has them."""
    seen = signs.last_seen() if seen is None else seen
    switched_on = set(PeriodicTask.objects.filter(enabled=True).values_list("name", flat=True))
    workers = {
        job.queue: sign.at if (sign := seen.get(signs.worker_sign(job.queue))) else None
        for job in WORKER_JOBS
        if job.name in switched_on
    }
    beat_at = last_beat()
    return Clockwork(last_run(beat_at), beat_at, workers)


def waiting(*, now: dt.datetime) -> Waiting:
    """The oldest of what is due."""
    draws = Draw.objects.order_by()
    return Waiting(
        draw_at=draws.unfinished().filter(draw_at__lte=now).aggregate(at=Min("draw_at"))["at"],
        freeze_at=draws.due_to_freeze(now).aggregate(at=Min("closes_at"))["at"],
        delivery_at=Delivery.objects.oldest_due(now),
        message_at=Message.objects.to_expand(now).order_by().aggregate(at=Min("expand_after"))["at"],
    )


def unsealed_since() -> dt.datetime | None:
    """Time of the oldest audit record beyond the newest seal; None when all is sealed."""
    seal = newest_seal()
    beyond = Record.objects.filter(pk__gt=seal.last_id if seal else 0)
    return beyond.order_by("pk").values_list("at", flat=True).first()
