"""`manage.py export_email_batch DRAW`: what a draw has to tell people, as mails for sending elsewhere."""

import csv
import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from draws.kinds import KINDS
from draws.models import Draw
from notifications.csv_cells import defused
from notifications.services import export_mails, messages_to_come

_COLUMNS = ("recipient", "subject", "body", "template_kind")


class Command(BaseCommand):
    """Write the mails of a draw to standard output, as they are made."""

    help = "Write recipient, subject, body and template kind of every message of a draw, as CSV or as JSON lines."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("draw", help="address (slug) of the draw")
        parser.add_argument("--format", choices=("csv", "jsonl"), default="csv")
        parser.add_argument(
            "--kind",
            action="append",
            default=[],
            choices=[kind.name for kind in KINDS],
            help="only messages of this kind; may be repeated",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        draw = Draw.objects.filter(slug=options["draw"]).first()
        if draw is None:
            raise CommandError(f"There is no draw with the address {options['draw']!r}.")
        now = timezone.now()
        if waiting := messages_to_come(about=draw.about, now=now):
            self.stderr.write(
                f"{waiting} messages have not found all their recipients yet: export again later."
            )
        mails = export_mails(about=draw.about, only_kinds=options["kind"], now=now)
        try:
            if options["format"] == "jsonl":
                for mail in mails:
                    self.stdout.write(json.dumps(asdict(mail), ensure_ascii=False))
            else:
                # The wrapper of a command ends each write with a newline of its own, but for those that have one.
                writer = csv.writer(self.stdout, lineterminator="\n")
                writer.writerow(_COLUMNS)
                for mail in mails:
                    writer.writerow([defused(cell) for cell in asdict(mail).values()])
        except BrokenPipeError:  # whoever read it had enough
            return
