"""`manage.py sync_schedule`: bring beat's table in step with `config/schedule.py`."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks

from config.celery import app
from config.schedule import SCHEDULE, Job

OWNED = "Fairground: "


class Command(BaseCommand):
    """Create what is missing, retire what is gone, leave an admin's edits alone."""

    help = "Create missing jobs, retire those that are gone; intervals and switches edited in the admin stay."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        app.loader.import_default_modules()
        for job in SCHEDULE:
            if job.task not in app.tasks:
                raise LookupError(f"The schedule names {job.task}, and no app has such a task.")
        created = sum(self._ensure(job) for job in SCHEDULE)
        retired = (
            PeriodicTask.objects.filter(description__startswith=OWNED, enabled=True)
            .exclude(name__in=[job.name for job in SCHEDULE])
            .update(enabled=False)
        )
        PeriodicTasks.update_changed()
        self.stdout.write(f"Schedule: {len(SCHEDULE)} jobs, {created} new, {retired} retired.")

    def _ensure(self, job: Job) -> bool:
        interval, _new = IntervalSchedule.objects.get_or_create(
            every=job.every_s, period=IntervalSchedule.SECONDS
        )
        _task, created = PeriodicTask.objects.get_or_create(
            name=job.name,
            defaults={
                "task": job.task,
                "interval": interval,
                "queue": job.queue or None,
                "expire_seconds": job.expires_s,
                "description": OWNED + job.what,
            },
        )
        return bool(created)
