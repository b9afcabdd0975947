"""`manage.py seed_demo`: fill an empty site with demo data, and say how to sign in."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.models import User
from config import demo


class Command(BaseCommand):
    """Demo data for an empty database."""

    help = "Fill an empty database with demo members and draws; the first draw takes place two minutes later."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--if-empty", action="store_true", help="do nothing where there is data already")
        parser.add_argument("--print-sign-ins", action="store_true", help="only print the demo's accounts")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["print_sign_ins"]:
            self._print_sign_ins()
            return
        if not demo.is_empty():
            if options["if_empty"]:
                return
            raise CommandError("There is data in this database already: the demo only fills an empty one.")
        report = demo.seed(clock=timezone.now)
        self.stdout.write(
            f"Demo: {report.accepted} entrants imported from {report.file_name}, "
            f"{report.rejected} of {report.lines} lines refused:"
        )
        for rejection in report.rejections.all():
            self.stdout.write(f"  line {rejection.line}: {rejection.reason}")

    def _print_sign_ins(self) -> None:
        if not User.objects.filter(email=demo.sign_ins()[0].email).exists():
            return
        self.stdout.write(f"Demo sign-ins, all with the password {demo.PASSWORD}")
        for account in demo.sign_ins():
            self.stdout.write(f"  {account.email:32} {account.role}")
