"""The stand-in's job. It finds its work in PostgreSQL; a lost or repeated task message changes nothing."""

from celery import shared_task
from django.utils import timezone

from payments.standin import services, webhooks


@shared_task(name="payments.standin.tasks.sweep")
def sweep() -> None:
    """Move on what moves by itself, and send the webhooks that are due."""
    with webhooks.sending_here():
        services.move_on(now=timezone.now())
    webhooks.send_due(now=timezone.now())
