"""Entry point of Celery: `celery -A config.worker worker` and `celery -A config.worker beat`."""

from config import embedded

embedded.ensure()

from config.celery import app  # noqa: E402  (the settings it reads need the servers' addresses)

__all__ = ["app"]
