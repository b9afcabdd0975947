"""Going on over a new connection where the old one was cut in the middle of a job."""

from django.db import connection


def drop_if_cut() -> None:
    """Let go of a connection that doesn't work any more; the next query takes a new one.

    Inside a transaction of the caller's it does nothing: that transaction is lost with its connection, and
    whoever began it has to know.
    """
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
