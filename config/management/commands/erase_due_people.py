"""`manage.py erase_due_people`: erase whoever asked for it and whose waiting time is over."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from config.privacy import erase_due_people


class Command(BaseCommand):
    """What beat does every ten minutes."""

    help = "Erase people who asked for it and whose waiting time is over."

    def handle(self, *args: Any, **options: Any) -> None:
        summary = erase_due_people(now=timezone.now())
        self.stdout.write(f"{summary.erased} erased, {summary.held} wait for a person.")
        if summary.failed:
            raise CommandError(f"{summary.failed} failed; the log says why. They are tried again.")
