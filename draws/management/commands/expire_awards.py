"""`manage.py expire_awards`: what beat does, by hand."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from draws.services import expire_awards


class Command(BaseCommand):
    """Forfeit every prize that was not claimed in time."""

    help = "Forfeit every prize that was not claimed in time; it goes to the next rank."

    def handle(self, *args: Any, **options: Any) -> None:
        summary = expire_awards(now=timezone.now())
        self.stdout.write(f"{summary.expired} prizes expired.")
        if summary.failed:
            raise CommandError(f"{summary.failed} draws failed; the log says why. They are tried again.")
