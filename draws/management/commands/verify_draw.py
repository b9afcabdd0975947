"""`manage.py verify_draw SLUG`: compute a draw anew from what is stored."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from draws.models import Draw
from draws.services import verify_stored_draw


class Command(BaseCommand):
    """Check that an executed draw is still what it was."""

    help = "Compute an executed draw anew and compare entries, file, seed, ranks and winners with what is stored."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("draw", help="address (slug) of the draw")

    def handle(self, *args: Any, **options: Any) -> None:
        draw = Draw.objects.filter(slug=options["draw"]).first()
        if draw is None:
            raise CommandError(f"There is no draw with the address {options['draw']!r}.")
        if draw.status != Draw.Status.COMPLETED:
            raise CommandError(f"{draw.slug} is {draw.status}: only a completed draw can be verified.")
        if wrong := verify_stored_draw(draw):
            raise CommandError("\n".join(wrong))
        self.stdout.write(f"{draw.slug}: all holds. Report {draw.report.report_sha256}")
