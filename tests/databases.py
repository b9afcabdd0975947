"""Databases of a test run: one migrated template, and clones of it.

Triggers of the schema refuse TRUNCATE, with which Django's TransactionTestCase cleans up. So a test that
has to commit gets a database of its own, by `CREATE DATABASE … TEMPLATE` (about 0.1 s).
"""

import fcntl
import itertools
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connections

PREFIX = "test_fairground_"

_numbers = itertools.count(1)


def with_database(url: str, name: str) -> str:
    """`url` pointing at the database `name`."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def worker_name() -> str:
    """Start of the names of this process's databases: unique to the run and to xdist's worker."""
    return f"{PREFIX}{os.environ['FAIRGROUND_TEST_RUN']}_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"


def template_name() -> str:
    """Name of the run's pristine migrated database, which nobody ever connects to."""
    return f"{PREFIX}{os.environ['FAIRGROUND_TEST_RUN']}_template"


def ensure_template() -> None:
    """Migrate the run's template database; the first worker does, the others wait for it."""
    with (Path(os.environ["FAIRGROUND_DATA"]) / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with closing(_server()) as server:
            found = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [template_name()])
            if found.fetchone():
                return
            # It gets its name when it is complete.
            draft = f"{template_name()}_draft"
            drop(server, draft)
            server.execute(f'CREATE DATABASE "{draft}"')
            with connected_to(draft):
                call_command("migrate", verbosity=0, interactive=False)
            server.execute(f'ALTER DATABASE "{draft}" RENAME TO "{template_name()}"')


@contextmanager
def connected_to(name: str) -> Iterator[None]:
    """Django's default connection, also that of threads begun meanwhile, goes to the database `name`."""
    connection = connections["default"]
    connection.close()
    # One dictionary: every thread's connection and `settings.DATABASES` share it.
    before, connection.settings_dict["NAME"] = connection.settings_dict["NAME"], name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


@contextmanager
def cloned() -> Iterator[str]:
    """A fresh clone of the template, dropped afterwards whoever is still connected; yields its name."""
    name = f"{worker_name()}_{next(_numbers)}"
    create_clone(name)
    try:
        yield name
    finally:
        with closing(_server()) as server:
            drop(server, name)


def drop(server: psycopg.Connection[Any], name: str) -> None:
    """Drop a database with all its connections, patiently: no site's role may end an autovacuum worker in it."""
    for last in (*[False] * 99, True):
        try:
            server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            return
        except psycopg.errors.InsufficientPrivilege:
            if last:
                raise
            time.sleep(0.1)


def create_clone(name: str) -> None:
    """Make the database `name` out of the template."""
    with closing(_server()) as server:
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template_name()}"')


def environment(name: str, data: Path) -> dict[str, str]:
    """Environment of a process of the site over the database `name`, with files of its own under `data`.

    It has this process's secrets, so that links signed here open there.
    """
    inherited = {
        key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "FAIRGROUND_"))
    }
    return inherited | {
        "DATABASE_URL": with_database(os.environ["DATABASE_URL"], name),
        "REDIS_URL": os.environ["REDIS_URL"],
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "FAIRGROUND_EMBEDDED": "1",
        "FAIRGROUND_DATA": str(data),
        "SECRET_KEY": settings.SECRET_KEY,
        "LINK_KEY": settings.LINK_KEY,
        "DRAW_SECRET_KEYS": ",".join(settings.DRAW_SECRET_KEYS),
        "SECOND_FACTOR_KEYS": ",".join(settings.SECOND_FACTOR_KEYS),
        "PYTHONUNBUFFERED": "1",
    }


def _server() -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(with_database(os.environ["DATABASE_URL"], "postgres"), autocommit=True)
