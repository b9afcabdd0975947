"""Django's PostgreSQL backend, with a pool that is mended at once when its connections were cut.

psycopg_pool can check each connection before it hands it out, and Django switches that on by CONN_HEALTH_CHECKS. But
it waits between two that it finds dead: a second, then two, four, eight. After a restart of PostgreSQL a pool of ten is
full of dead ones, and the first pages would wait the pool's ten seconds and fail. So the check is made here, and the
first dead connection has all the others looked at.

That check is a question to the server and its answer, for each request. So it is asked only of a connection that was not
asked for a while, or has something to say unasked: a server that goes closes its lines, and the kernel knows at once.
"""

import select
import time
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool

ASK_EVERY_S = 5.0
"""A line that broke without a word is found out by asking; proxies and firewalls forget one after minutes."""


class DatabaseWrapper(base.DatabaseWrapper):
    """Meant for settings with a pool, and without CONN_HEALTH_CHECKS."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        pool = self.pool
        if pool is None or _is_alive(connection):
            return connection
        pool.putconn(connection)  # which throws it away and begins to make another
        pool.check()  # throws away the others that are dead too
        return super().get_new_connection(conn_params)


def _is_alive(connection: Any) -> bool:
    now = time.monotonic()
    if now - getattr(connection, "asked_at", float("-inf")) < ASK_EVERY_S and not _says_something(connection):
        return True
    try:
        ConnectionPool.check_connection(connection)
    except psycopg.Error:
        return False
    connection.asked_at = now
    return True


def _says_something(connection: Any) -> bool:
    """Whether the server has sent anything that nobody asked for, or has closed the line. Looks, and does not wait."""
    try:
        looking = select.poll()
        looking.register(connection.fileno(), select.POLLIN)
        return bool(looking.poll(0))
    except (psycopg.Error, OSError, ValueError):
        return True
