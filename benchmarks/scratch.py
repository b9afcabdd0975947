"""A scratch database, steps in processes of their own, and how long they take and how much they grow."""

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from config import embedded

MEBIBYTE = 2**20


@contextmanager
def scratch_database(name: str) -> Iterator[str]:
    """An empty database on the site's server, dropped at the end; yields its address."""
    embedded.ensure()
    server = os.environ["DATABASE_URL"]
    unique = f"bench_{name}_{secrets.token_hex(4)}"
    with closing(psycopg.connect(server, autocommit=True)) as connection:
        connection.execute(f"CREATE DATABASE {unique}")
        try:
            yield urlsplit(server)._replace(path=f"/{unique}").geturl()
        finally:
            _drop(connection, unique)


def _drop(server: psycopg.Connection[Any], name: str) -> None:
    """Drop a database, patiently: the site's role may not end an autovacuum worker that is at work in it."""
    for last in (*[False] * 99, True):
        try:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
            return
        except psycopg.errors.InsufficientPrivilege:
            if last:
                raise
            time.sleep(0.1)


def in_a_process(work: Callable[[], object], *, settings: str = "config.settings") -> Any:
    """Run `work` in a fresh process with Django set up; returns its answer."""
    processes = get_context("spawn")
    answers = processes.SimpleQueue()
    process = processes.Process(target=_run, args=(work, settings, answers))
    process.start()
    while process.is_alive() and answers.empty():  # a large answer is read before its process can end
        time.sleep(0.02)
    answer = None if answers.empty() else answers.get()
    process.join()
    if process.exitcode:
        raise SystemExit("a step failed: see above")
    return answer


def _run(work: Callable[[], object], settings: str, answers: Any) -> None:
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = settings
    django.setup()
    from django.db import connection

    if settings == "config.settings":
        import config.celery  # noqa: F401  (what a worker has loaded when a draw is due)

    connection.ensure_connection()
    answers.put(work())
    connection.close()


class Measured:
    """Seconds within the block, and how far the process grew beyond what it had when the block began."""

    def __enter__(self) -> "Measured":
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        self.idle = _memory("VmRSS")
        self.began = time.perf_counter()
        return self

    def __exit__(self, *_error: object) -> None:
        self.seconds = time.perf_counter() - self.began
        self.grown = _memory("VmHWM") - self.idle

    def figures(self) -> tuple[float, float]:
        """Seconds and megabytes."""
        return self.seconds, self.grown


def _memory(field: str) -> float:
    """A line of the kernel's account of this process, in MB."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024 / MEBIBYTE
