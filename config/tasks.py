"""Jobs of the site itself; `config/schedule.py` says when they run."""

from celery import Task, shared_task
from django.utils import timezone

from config.operations import books, signs


@shared_task(name="config.tasks.note_alive", bind=True)
def note_alive(self: "Task[[], None]") -> None:
    """Note that somebody works off the queue that this came through."""
    came_by = self.request.delivery_info or {}
    signs.note_worker(queue=str(came_by.get("routing_key", "")), now=timezone.now())


@shared_task(name="config.tasks.check_books")
def check_books() -> None:
    """Check the ledger, and write down what came of it."""
    books.check_books(now=timezone.now())
