"""`manage.py process_notifications --limit 100`: one round of the outbox by hand."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from notifications.services import process_notifications


class Command(BaseCommand):
    """Prints how many deliveries were processed and how many of them did not go out."""

    help = "Expand due messages and send due deliveries; prints processed and failed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--limit", type=int, default=100, help="at most so many deliveries (default: 100)"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, limit: int, json: bool, **options: Any) -> None:
        done = process_notifications(now=timezone.now(), limit=limit)
        if json:
            self.stdout.write(_as_json(asdict(done)))
        else:
            self.stdout.write(
                f"processed {done.processed}, failed {done.failed}, recipients found {done.expanded}"
            )


def _as_json(values: dict[str, int]) -> str:
    return json.dumps(values)
