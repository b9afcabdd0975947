"""Jobs of the trail; `config/schedule.py` says when they run."""

from celery import shared_task
from django.utils import timezone

from audit import services


@shared_task
def seal() -> None:
    """Seal what is new. Every few seconds."""
    services.seal_backlog(now=timezone.now())


@shared_task
def erase_old_contexts() -> None:
    """Erase addresses and browsers that were kept long enough. Once a day."""
    services.erase_contexts_before(moment=timezone.now() - services.KEEP_CONTEXTS)
