"""`manage.py seal_audit`: what the scheduled job does every few seconds, by hand."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from audit import services


class Command(BaseCommand):
    """Seal the records that no seal covers yet."""

    help = "Chain a seal over the audit records that no seal covers yet."

    def handle(self, *args: Any, **options: Any) -> None:
        seals = services.seal_backlog(now=timezone.now())
        for seal in seals:
            self.stdout.write(f"Seal {seal.pk}: {seal.count} records, {seal.digest}")
        if not seals:
            self.stdout.write("Nothing to seal, or another sealer is at work.")
