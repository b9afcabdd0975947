"""`manage.py check_draws [SLUG …]`: what beat does daily, by hand."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from draws.models import Draw
from draws.services import check_draws


class Command(BaseCommand):
    """Check drawn draws."""

    help = "Compute completed draws anew and follow their payouts into the ledger; a difference stops what is unpaid."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("draws", nargs="*", metavar="SLUG", help="only these; otherwise all")

    def handle(self, *args: Any, **options: Any) -> None:
        draws = None
        if options["draws"]:
            draws = list(Draw.objects.filter(slug__in=options["draws"], status=Draw.Status.COMPLETED))
            if missing := set(options["draws"]) - {draw.slug for draw in draws}:
                raise CommandError(f"No completed draw has the address {', '.join(sorted(missing))}.")
        summary = check_draws(now=timezone.now(), draws=draws)
        for slug, wrong in summary.differences.items():
            self.stdout.write(f"{slug}:")
            for text in wrong:
                self.stdout.write(f"  {text}")
        if summary.differences:
            raise CommandError(
                f"{len(summary.differences)} of {summary.checked} draws don't hold; their unpaid prizes are stopped."
            )
        self.stdout.write(f"{summary.checked} draws checked: all hold.")
