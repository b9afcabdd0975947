"""`manage.py expire_approvals`: what beat does, by hand."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from payments.approvals import amounts_text, expire_approvals, words_of_act


class Command(BaseCommand):
    """Close every request that waited too long for a second person."""

    help = "Closes requests that waited too long for a second person, and tells who asked."

    def handle(self, *args: Any, **options: Any) -> None:
        expired = expire_approvals(now=timezone.now())
        for approval in expired:
            self.stdout.write(
                f"{approval.public_id}: {words_of_act(approval.kind)}, {amounts_text(approval)}"
            )
        self.stdout.write(f"{len(expired)} requests expired.")
