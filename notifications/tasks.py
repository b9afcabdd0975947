"""Jobs of the outbox. A task message is only a hint; the work is found in PostgreSQL."""

import time

from celery import shared_task
from django.utils import timezone

from notifications.services import process_notifications

BUDGET_SECONDS = 50.0


@shared_task
def sweep() -> None:
    """Work off what is due, for at most about a minute; the next sweep goes on."""
    end = time.monotonic() + BUDGET_SECONDS
    while process_notifications(now=timezone.now()).found_work and time.monotonic() < end:
        pass
