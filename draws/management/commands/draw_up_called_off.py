"""`manage.py draw_up_called_off`: publish what called-off draws would have drawn; safe to run at any time."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from draws import services


class Command(BaseCommand):
    """Runs the job once."""

    help = "Publish what called-off draws would have drawn, where every value is there by now."

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints what was done."""
        count = services.draw_up_called_off(now=timezone.now())
        self.stdout.write(f"{count} called-off draws drawn up.")
