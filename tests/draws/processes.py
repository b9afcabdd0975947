"""Real processes over a test's database: many at one moment, stopped where a test wants them, killed there."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.db import connections

from tests import databases
from tests.live import LiveProcess, wait_until

_FORK = multiprocessing.get_context("fork")
_GATE = 0x6761_7465  # "gate": an advisory lock that the test holds, and the halted process waits for


def at_once(work: Callable[[], Any], count: int) -> list[Any]:
    """Run `work()` in `count` processes from one barrier on; returns their answers, fails if one raised."""
    return together([work] * count)


def together(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run each of `works` in a process of its own, from one barrier on; returns their answers in no order."""
    connections.close_all()
    barrier, answers = _FORK.Barrier(len(works)), _FORK.Queue()

    def one(work: Callable[[], Any]) -> None:
        try:
            connections["default"].ensure_connection()
            barrier.wait(60)
            answers.put((work(), ""))
        except BaseException as error:
            answers.put((None, f"{type(error).__name__}: {error}"))
        finally:
            connections.close_all()

    processes = [_FORK.Process(target=one, args=(work,), daemon=True) for work in works]
    for process in processes:
        process.start()
    try:
        outcomes = [answers.get(timeout=120) for _ in processes]
        assert [error for _answer, error in outcomes if error] == []
        return [answer for answer, _error in outcomes]
    finally:
        for process in processes:
            process.join(30)
            process.kill()


def start(work: Callable[[], Any]) -> Any:
    """Run `work()` in a process of its own, which may be killed."""
    connections.close_all()
    process = _FORK.Process(target=work, daemon=True)
    process.start()
    return process


def kill(process: Any) -> None:
    """kill -9, and wait until the process is gone."""
    os.kill(process.pid, signal.SIGKILL)
    process.join(30)


def command(cloned_db: Any, folder: Path, *arguments: str, env: dict[str, str] | None = None) -> LiveProcess:
    """A management command as a subprocess."""
    return LiveProcess(arguments[0], [sys.executable, "manage.py", *arguments], env or cloned_db.env, folder)


class Gate:
    """Whoever writes to a chosen table stops inside the statement, until the gate opens."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute("SELECT pg_advisory_lock(%s)", [_GATE])
        self._shut_at: list[tuple[str, str]] = []

    def shut(self, table: str, event: str = "INSERT", when: str = "") -> None:
        """Stop at `event` on `table`; `when` is a condition on NEW, for rows."""
        each = f"FOR EACH ROW WHEN ({when})" if when else "FOR EACH STATEMENT"
        name = f"test_gate_{len(self._shut_at)}"
        self._connection.execute(
            f"""
            CREATE OR REPLACE FUNCTION test_gate() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM pg_advisory_xact_lock_shared({_GATE});
                IF TG_LEVEL = 'ROW' THEN RETURN NEW; END IF;
                RETURN NULL;
            END $$;
            CREATE TRIGGER {name} BEFORE {event} ON {table} {each} EXECUTE FUNCTION test_gate();
            """
        )
        self._shut_at.append((name, table))

    def waiting(self) -> list[int]:
        """The backends that stand at the gate."""
        found = self._connection.execute(
            """
            SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """,
            [_GATE],
        )
        return [pid for (pid,) in found]

    def wait_for_one(self, process: Any = None) -> int:
        """Wait until somebody stands at the gate; the backend's id."""
        live = process if isinstance(process, LiveProcess) else None
        wait_until(lambda: bool(self.waiting()), "somebody at the gate", 60, live)
        return self.waiting()[0]

    def cut(self, backend: int) -> None:
        """Take the database connection away from whoever stands at the gate, and open it."""
        self._connection.execute("SELECT pg_terminate_backend(%s)", [backend])
        self.open(gone=backend)

    def open(self, *, gone: int | None = None) -> None:
        """Let everybody through from now on; waits until the backend `gone`, whose client was killed, has ended."""
        self._connection.execute("SELECT pg_advisory_unlock(%s)", [_GATE])
        if gone is not None:
            query = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"
            wait_until(
                lambda: self._connection.execute(query, [gone]).fetchone() is None,
                "the end of the killed process's transaction",
                60,
            )
        for name, table in self._shut_at:
            self._connection.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")
        self._shut_at.clear()

    def close(self) -> None:
        """Let go of everything."""
        self._connection.close()


def cut_connections(cloned_db: Any, *, of: str = "") -> int:
    """Take away every connection to the test's database, also this process's; returns how many there were, and are not now.

    With `of` only those of whoever connects under this `application_name`.
    """
    with _server() as server:
        found = server.execute(
            """
            SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
            WHERE datname = %s AND backend_type = 'client backend' AND %s IN ('', application_name)
            """,
            [cloned_db.name, of],
        )
        return len(found.fetchall())


@contextmanager
def database_gone(cloned_db: Any, *, of: str = "") -> Iterator[None]:
    """Within the block nobody gets into the test's database, and whoever was in it (`of`: see above) is cut off."""
    with _server() as server:
        server.execute(f'ALTER DATABASE "{cloned_db.name}" ALLOW_CONNECTIONS false')
        try:
            cut_connections(cloned_db, of=of)
            yield
        finally:
            server.execute(f'ALTER DATABASE "{cloned_db.name}" ALLOW_CONNECTIONS true')


@contextmanager
def gate(cloned_db: Any) -> Iterator[Gate]:
    """A gate over the test's database."""
    made = Gate(cloned_db.url)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def copy_of(cloned_db: Any) -> Iterator[str]:
    """A copy of the test's database as it is now, by its name. Nobody else may be connected at this moment."""
    connections.close_all()
    name = f"{cloned_db.name}_twin"
    with _server() as server:
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{cloned_db.name}"')
        try:
            yield name
        finally:
            databases.drop(server, name)


@contextmanager
def twin_of(cloned_db: Any) -> Iterator[str]:
    """Like `copy_of`; within the block the ORM goes to the copy."""
    with copy_of(cloned_db) as name, databases.connected_to(name):
        yield name


def _server() -> Any:
    url = databases.with_database(os.environ["DATABASE_URL"], "postgres")
    return closing(psycopg.connect(url, autocommit=True))
