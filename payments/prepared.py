"""Statements that PostgreSQL parses and plans once in a connection, and not each time they come.

Django writes values into the text of a statement, so that each is a new one. Where a web process holds its connections
in a pool of its own (`DATABASE_POOL_SIZE`), they outlive the request, and a statement that comes a thousand times a
second is worth being prepared. Elsewhere nothing is: connections behind PgBouncer are another server's the next time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection


@contextmanager
def prepared_cursor() -> Iterator[Any]:
    """A cursor of Django's connection that sends statement and values apart; prepared where that is allowed.

    What psycopg raises comes out as Django's errors, as from `connection.cursor()`.
    """
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection) as cursor:
        wrap: Any = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
        yield wrap(cursor)
