"""The draws' jobs. Each finds its work in PostgreSQL; a lost or repeated task message changes nothing."""

from celery import shared_task
from django.utils import timezone

from draws import services


@shared_task(name="draws.tasks.freeze_due")
def freeze_due() -> None:
    """Freeze every draw whose entries have closed."""
    services.freeze_due_draws(now=timezone.now())


@shared_task(name="draws.tasks.execute_due")
def execute_due() -> None:
    """Execute every draw whose time has come."""
    services.execute_due_draws(now=timezone.now())


@shared_task(name="draws.tasks.expire_awards")
def expire_awards() -> None:
    """Forfeit every prize that was not claimed in time."""
    services.expire_awards(now=timezone.now())


@shared_task(name="draws.tasks.check")
def check() -> None:
    """Check every drawn draw against its proof and the ledger."""
    services.check_draws(now=timezone.now())


@shared_task(name="draws.tasks.draw_up_called_off")
def draw_up_called_off() -> None:
    """Publish what called-off draws would have drawn."""
    services.draw_up_called_off(now=timezone.now())


@shared_task(name="draws.tasks.import_uploads")
def import_uploads() -> None:
    """Import every file of entrants that waits."""
    services.import_due_uploads(now=timezone.now())


@shared_task(name="draws.tasks.forget_uploads")
def forget_uploads() -> None:
    """Delete the files whose import ended long enough ago."""
    services.forget_uploads(now=timezone.now())
