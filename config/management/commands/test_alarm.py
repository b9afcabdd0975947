"""`manage.py test_alarm`: tells a made-up alarm, to see whether it arrives."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from config.operations.alarms import tell_of_a_test


class Command(BaseCommand):
    """Tells everybody who would be told."""

    help = "Sends a test alarm to ALERT_WEBHOOK and by mail, and says what became of it."

    def handle(self, *args: Any, **options: Any) -> None:
        answers = tell_of_a_test(now=timezone.now())
        if not answers:
            raise CommandError(
                "Nobody would be told: set ALERT_WEBHOOK or ALERT_EMAILS, or make a Super Admin."
            )
        for channel, error in answers.items():
            self.stdout.write(f"{channel}: {error or 'taken'}")
        if any(answers.values()):
            raise SystemExit(1)
