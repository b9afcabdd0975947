"""The payments' jobs. Each finds its work in PostgreSQL; a lost or repeated task message changes nothing."""

from celery import shared_task
from django.utils import timezone

from payments import approvals


@shared_task(name="payments.tasks.expire_approvals")
def expire_approvals() -> None:
    """Close every request that waited too long for a second person."""
    approvals.expire_approvals(now=timezone.now())
