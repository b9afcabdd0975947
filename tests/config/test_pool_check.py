"""When a pooled connection is asked whether it lives, and when looking at its line is enough."""

import psycopg
import pytest
from django.db import connection
from psycopg_pool import ConnectionPool

from config.database import base

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """The monotonic time, in its only item."""
    now = [1_000.0]
    monkeypatch.setattr(base.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def asked(monkeypatch) -> list[object]:
    """The connections that were asked."""
    found: list[object] = []
    really = ConnectionPool.check_connection

    def check(one: object) -> None:
        found.append(one)
        really(one)

    monkeypatch.setattr(ConnectionPool, "check_connection", staticmethod(check))
    return found


@pytest.fixture
def line():
    with psycopg.connect(_address(), autocommit=True) as one:
        yield one


def _address() -> str:
    given = {name: value for name, value in connection.get_connection_params().items() if name in _NAMES}
    return psycopg.conninfo.make_conninfo(**given)


_NAMES = ("dbname", "user", "password", "host", "port")


def test_it_is_asked_once_in_a_while(line, clock, asked):
    for _time in range(3):
        assert base._is_alive(line)
    assert len(asked) == 1
    clock[0] += base.ASK_EVERY_S
    for _time in range(3):
        assert base._is_alive(line)
    assert len(asked) == 2


def test_what_the_server_has_closed_is_found_at_once(line, clock, asked):
    assert base._is_alive(line)
    with psycopg.connect(_address(), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", [line.info.backend_pid])
    assert not base._is_alive(line)


def test_what_the_server_says_unasked_is_heard_and_nothing_is_lost(line, clock, asked):
    assert base._is_alive(line)
    line.execute("LISTEN something")
    with psycopg.connect(_address(), autocommit=True) as other:
        other.execute("NOTIFY something")
    select = base.select.poll()
    select.register(line.fileno(), base.select.POLLIN)
    assert select.poll(10_000)
    assert base._is_alive(line)
    assert len(asked) == 2
    assert line.execute("SELECT 1").fetchone() == (1,)
    assert base._is_alive(line)
    assert len(asked) == 2  # heard, and quiet again


def test_a_connection_that_is_closed_here_is_dead(line, clock, asked):
    assert base._is_alive(line)
    line.close()
    assert not base._is_alive(line)
