"""`manage.py verify_audit`: walks the whole trail; exit status 1 and the faults by name if it was tampered with."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from audit.verification import verify_audit


class Command(BaseCommand):
    """Check the audit trail."""

    help = "Check that no audit record or seal was changed, removed or slipped in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--contains",
            action="append",
            default=[],
            metavar="DIGEST",
            help="a digest seen earlier, on the site or in a proof, that must still be in the chain (repeatable)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        report = verify_audit(now=timezone.now(), known_digests=options["contains"])
        for fault in report.faults:
            self.stdout.write(str(fault))
        if report.faults_found > len(report.faults):
            self.stdout.write(f"… and {report.faults_found - len(report.faults)} more")
        self.stdout.write(
            f"{report.records} records under {report.seals} seals, {report.waiting} waiting for the next; "
            f"newest digest {report.newest_digest or 'none yet'}"
        )
        if not report.is_sound:
            raise CommandError(f"The audit trail is NOT sound: {report.faults_found} found.")
        self.stdout.write("The audit trail is sound.")
