"""`manage.py import_uploads`: what the sweep does, by hand."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from draws.models import EntryUpload
from draws.services import import_due_uploads


class Command(BaseCommand):
    """Import the uploaded files of entrants that wait."""

    help = "Import the uploaded files of entrants that wait, in the order in which they came."

    def handle(self, *args: Any, **options: Any) -> None:
        for upload in import_due_uploads(now=timezone.now()):
            if upload.report is not None:
                outcome = f"{upload.report.accepted} entered, {upload.report.rejected} lines refused."
            else:
                outcome = f"{upload.get_state_display()}: {upload.why}"
            self.stdout.write(f"{upload.file_name}: {outcome}")
        waiting = EntryUpload.objects.filter(state=EntryUpload.State.WAITING).count()
        self.stdout.write(f"{waiting} files wait.")
