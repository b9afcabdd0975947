"""Jobs that concern several apps at once, and the site itself. Each finds its work in PostgreSQL."""

from celery import Task, shared_task
from django.utils import timezone

from config import privacy
from config.operations import books, signs


@shared_task(name="config.tasks.erase_due_people")
def erase_due_people() -> None:
    """Erase whoever asked for it and whose waiting time is over."""
    privacy.erase_due_people(now=timezone.now())


@shared_task(name="config.tasks.erase_old_data")
def erase_old_data() -> None:
    """Erase what has been kept long enough."""
    privacy.erase_old_data(now=timezone.now())


@shared_task(name="config.tasks.note_alive", bind=True)
def note_alive(self: "Task[[], None]") -> None:
    """Note that somebody works off the queue that this came through."""
    came_by = self.request.delivery_info or {}
    signs.note_worker(queue=str(came_by.get("routing_key", "")), now=timezone.now())


@shared_task(name="config.tasks.check_books")
def check_books() -> None:
    """Check the ledger, and write down what came of it."""
    books.check_books(now=timezone.now())
