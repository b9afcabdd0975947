"""Signs of life: who was last heard of, and when."""

import datetime as dt

from django.db import connection

from config.models import Sign

QUEUES = ("critical", "default", "bulk")
"""Each has workers; `config/schedule.py` sends a job through each, which notes that it arrived."""

_WATCHER = "watcher"


def note(*, name: str, now: dt.datetime, faults: int = 0, text: str = "") -> None:
    """Write down that `name` was heard of."""
    Sign.objects.update_or_create(name=name, defaults={"at": now, "faults": faults, "note": text})


def note_worker(*, queue: str, now: dt.datetime) -> None:
    """A worker of `queue` has taken a job."""
    note(name=worker_sign(queue), now=now)


def worker_sign(queue: str) -> str:
    """Under which name the workers of `queue` are heard of."""
    return f"worker:{queue}"


def last_seen() -> dict[str, Sign]:
    """Every sign by its name."""
    return {sign.name: sign for sign in Sign.objects.all()}


def take_turn(*, every_s: float) -> bool:
    """Whether it is the caller's turn to watch: of all processes of all hosts, one in `every_s` seconds.

    By the clock of the database, because hosts disagree about the time.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO config_sign (name, at, faults, note) VALUES (%s, now(), 0, '')
            ON CONFLICT (name) DO UPDATE SET at = now()
            WHERE config_sign.at <= now() - make_interval(secs => %s) RETURNING 1
            """,
            [_WATCHER, every_s],
        )
        return cursor.fetchone() is not None
