"""Early pytest plugin (`-p tests.plugin`): a database server and a Redis for this run, before settings are read.

Without `DATABASE_URL` and `REDIS_URL` each run starts a PostgreSQL and a Valkey of its own in a folder
in the temp dir, so that runs at the same time never meet. Both and the folder go with the run,
also after Ctrl-C; after a kill -9 the servers' guardian sees to it. With the variables given it uses those
servers: the role needs CREATEDB, all databases carry the run's id, and are dropped at the end.

xdist's workers inherit the environment; each takes a Redis database of its own.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from config import embedded
from config.embedded_account import EmbeddedError
from tests.databases import PREFIX, with_database

RUN_VARIABLE = "FAIRGROUND_TEST_RUN"

_own_folder: Path | None = None
_drops_databases = False


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Iterator[None]:
    """Set the environment that the settings are about to be read from."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker:
        embedded.ensure()  # only holds what the controlling process has started
        os.environ["REDIS_URL"] = _own_redis_database(os.environ["REDIS_URL"], int(worker.removeprefix("gw")))
    else:
        _begin()
    return (yield)


def pytest_unconfigure() -> None:
    """Leave nothing behind, whatever ended the run."""
    if _drops_databases and not os.environ.get("PYTEST_XDIST_WORKER"):
        _drop_databases()
    if _own_folder:
        embedded.leave(_own_folder)


def _begin() -> None:
    global _own_folder, _drops_databases
    missing = [name for name in ("DATABASE_URL", "REDIS_URL") if not os.environ.get(name)]
    _drops_databases = "DATABASE_URL" not in missing
    os.environ.pop(embedded.FOLDER_VARIABLE, None)
    folder = Path(tempfile.mkdtemp(prefix="fairground-test-")).resolve()
    _own_folder = folder if missing else None
    try:
        os.environ.update(embedded.start(folder, missing, ephemeral=True) if missing else {})
    except EmbeddedError as error:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.exit(str(error), returncode=3)
    if missing:
        os.environ[embedded.FOLDER_VARIABLE] = str(folder)
    os.environ["FAIRGROUND_DATA"] = str(folder)
    os.environ["FAIRGROUND_EMBEDDED"] = "1"  # the settings of a developer's site: no forced TLS, own secrets
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    for name in ("PAYSTACK_SECRET_KEY", "PAYSTACK_OLD_SECRET_KEY", "PAYSTACK_BASE_URL"):
        os.environ.pop(name, None)  # nobody pays for a test, and nobody's account hears of it
    os.environ["WATCH_SECONDS"] = "0"  # who tests the watcher turns it on
    os.environ[RUN_VARIABLE] = secrets.token_hex(4)


def _own_redis_database(url: str, worker: int) -> str:
    """`url` with a database number for `worker`, counting up from the given one; a plain server has 16."""
    base = int(urlsplit(url).path.strip("/") or 0)
    return urlsplit(url)._replace(path=f"/{(base + 1 + worker) % 16}").geturl()


def _drop_databases() -> None:
    run = f"{PREFIX}{os.environ[RUN_VARIABLE]}"
    with psycopg.connect(
        with_database(os.environ["DATABASE_URL"], "postgres"), autocommit=True
    ) as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [run])
        for (name,) in rows.fetchall():
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
