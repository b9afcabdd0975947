"""What tests of the trail share."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from django.db import connection

from audit import services
from audit.models import Record

NOW = dt.datetime(2026, 11, 21, 5, 0, tzinfo=dt.UTC)


def write(number: int = 1, *, action: str = "test.happened", now: dt.datetime = NOW) -> list[Record]:
    """Record `number` things the site did."""
    return [
        services.record(actor=None, action=action, target=f"test.thing:{i}", data={"i": i}, now=now)
        for i in range(number)
    ]


@pytest.fixture
def unguarded() -> Callable[[], AbstractContextManager[None]]:
    """Switches the append-only triggers off, as an intruder who owns the tables can."""

    @contextmanager
    def off() -> Iterator[None]:
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # ALTER TABLE refuses while checks are pending
            for table in ("audit_record", "audit_seal"):
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            yield
            for table in ("audit_record", "audit_seal"):
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")

    return off
