"""Fixtures of the tests of operations."""

import datetime as dt

import pytest
from django.core.management import call_command
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from config.operations import signs


@pytest.fixture
def healthy(db):
    """A site whose beat and workers were heard of just now; call it to hear of them some time ago."""
    call_command("sync_schedule")

    def heard(*, beat_ago: float = 1, workers_ago: float = 1) -> None:
        now = timezone.now()
        PeriodicTask.objects.update(last_run_at=now - dt.timedelta(seconds=beat_ago))
        for queue in signs.QUEUES:
            signs.note_worker(queue=queue, now=now - dt.timedelta(seconds=workers_ago))

    heard()
    return heard
