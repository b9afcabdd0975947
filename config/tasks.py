"""Jobs that concern several apps at once. Each finds its work in PostgreSQL."""

from celery import shared_task
from django.utils import timezone

from config import privacy


@shared_task(name="config.tasks.erase_due_people")
def erase_due_people() -> None:
    """Erase whoever asked for it and whose waiting time is over."""
    privacy.erase_due_people(now=timezone.now())


@shared_task(name="config.tasks.erase_old_data")
def erase_old_data() -> None:
    """Erase what has been kept long enough."""
    privacy.erase_old_data(now=timezone.now())
