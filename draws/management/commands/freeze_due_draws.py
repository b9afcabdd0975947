"""`manage.py freeze_due_draws`: what beat does, by hand."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from draws.services import freeze_due_draws


class Command(BaseCommand):
    """Freeze every draw whose entries have closed."""

    help = "Freeze every draw whose entries have closed, and publish its manifest."

    def handle(self, *args: Any, **options: Any) -> None:
        frozen = freeze_due_draws(now=timezone.now())
        for draw in frozen:
            self.stdout.write(
                f"{draw.slug}: {draw.status}, {draw.entries_count} entries {draw.manifest_sha256}"
            )
        self.stdout.write(f"{len(frozen)} draws frozen.")
