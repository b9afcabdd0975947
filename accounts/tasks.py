"""Jobs of accounts."""

from celery import shared_task

from accounts.sessions import SessionStore


@shared_task
def clear_sessions() -> None:
    """Delete sessions that are over; `manage.py clearsessions` does the same."""
    SessionStore.clear_expired()
