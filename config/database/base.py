"""Django's PostgreSQL backend, with a pool that is mended at once when its connections were cut.

psycopg_pool can check each connection before it hands it out, and Django switches that on by CONN_HEALTH_CHECKS. But
it waits between two that it finds dead: a second, then two, four, eight. After a restart of PostgreSQL a pool of ten is
full of dead ones, and the first pages would wait the pool's ten seconds and fail. So the check is made here, and the
first dead connection has all the others looked at.
"""

from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool


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
    try:
        ConnectionPool.check_connection(connection)
    except psycopg.Error:
        return False
    return True
