"""`manage.py execute_due_draws`: what beat does, by hand."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from draws.services import execute_due_draws
from draws.services.telling import amounts_text


class Command(BaseCommand):
    """Execute every draw whose time has come."""

    help = "Execute every frozen draw whose time has come, also those missed while the site was down."

    def handle(self, *args: Any, **options: Any) -> None:
        summary = execute_due_draws(now=timezone.now())
        self.stdout.write(
            f"{summary.draws_processed} draws executed, {summary.winners_selected} winners, "
            f"{amounts_text(summary.total_awarded)} awarded."
        )
        if summary.failed:
            raise CommandError(
                f"{summary.failed} draws failed; the reason stands on their page in the admin. They are tried again."
            )
