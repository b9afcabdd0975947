"""`manage.py doctor`: what is wrong with this site, and what mends it."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from config.operations import doctor
from config.operations.doctor import Finding, Level

_MARKS = {Level.FINE: "ok   ", Level.NOTE: "note ", Level.WRONG: "WRONG"}


class Command(BaseCommand):
    """Looks at everything; exit status 1 when something is wrong."""

    help = (
        "Looks at settings, servers, jobs, draws, messages and books; says what is wrong and what mends it."
    )
    requires_system_checks: list[str] = []  # it runs them itself, and goes on

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
        parser.add_argument("--mail", action="store_true", help="ask the mail server, too (sends nothing)")
        parser.add_argument("--seconds", type=float, default=60, help="give up after so long (60)")

    def handle(self, *args: Any, **options: Any) -> None:
        found: list[Finding] = []
        with self._deadline(options["seconds"]):
            doctor.within(doctor.NETWORK_TIMEOUT_S)
            for finding in doctor.examine(now=timezone.now(), mail=options["mail"]):
                found.append(finding)
                if not options["json"]:
                    self._say(finding)
        faults = sum(finding.level is Level.WRONG for finding in found)
        if options["json"]:
            told = {"healthy": not faults, "findings": [finding.as_json() for finding in found]}
            self.stdout.write(json.dumps(told, indent=1, ensure_ascii=False))
        else:
            self.stdout.write(f"{faults} wrong." if faults else "Nothing is wrong.")
        if faults:
            raise SystemExit(1)

    def _say(self, finding: Finding) -> None:
        style = self.style.ERROR if finding.level is Level.WRONG else str
        self.stdout.write(style(f"{_MARKS[finding.level]} {finding.subject}: {finding.text}"))
        if finding.mend:
            self.stdout.write(f"      → {finding.mend}")

    @contextmanager
    def _deadline(self, seconds: float) -> Iterator[None]:
        """End the process when it takes longer, whatever it hangs in."""

        def give_up() -> None:
            self.stderr.write(f"doctor gave up after {seconds:g} s: what it looked at last does not answer.")
            self.stderr.flush()
            os._exit(1)

        timer = threading.Timer(seconds, give_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
