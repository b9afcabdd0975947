"""`manage.py import_entries DRAW FILE.csv`: what the admin's upload does, for files on this machine: at once, with progress on stderr."""

import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from draws.models import Draw
from draws.services import DrawError, import_entries


class Command(BaseCommand):
    """Import entrants of a CSV file into a draw."""

    help = "Import entrants (email,name,weight) from a CSV file: wholly or not at all; reports each refused line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("draw", help="address (slug) of the draw")
        parser.add_argument("file", type=Path, help="the CSV file, UTF-8")

    def handle(self, *args: Any, **options: Any) -> None:
        draw = Draw.objects.filter(slug=options["draw"]).first()
        if draw is None:
            raise CommandError(f"There is no draw with the address {options['draw']!r}.")
        try:
            with options["file"].open("rb") as file:
                size = max(os.fstat(file.fileno()).st_size, 1)

                def progress(lines: int, bytes_read: int) -> None:
                    self.stderr.write(f"{lines:,} lines read, {min(bytes_read * 100 // size, 100)} %")

                def all_read(lines: int, bytes_read: int) -> None:
                    self.stderr.write(f"{lines:,} lines read, all of them; entering people …")

                report = import_entries(
                    draw=draw,
                    file=file,
                    file_name=options["file"].name,
                    by=None,
                    now=timezone.now(),
                    progress=progress,
                    all_read=all_read,
                )
        except OSError as error:
            raise CommandError(f"The file can't be read: {error}") from error
        except DrawError as error:
            raise CommandError(str(error)) from error
        for line, content, reason in report.rejections.values_list("line", "content", "reason").iterator():
            self.stderr.write(f"line {line}: {reason}  [{content}]")
        self.stdout.write(
            f"{report.file_name}: {report.accepted} entered, {report.rejected} of {report.lines} lines refused."
        )
