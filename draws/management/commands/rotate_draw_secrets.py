"""`manage.py rotate_draw_secrets`: after a new key was put in front of `DRAW_SECRET_KEYS`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from draws.services import rotate_draw_secrets


class Command(BaseCommand):
    """Encrypt the stored secrets of draws with the newest key."""

    help = (
        "Encrypt every stored draw secret with the first of DRAW_SECRET_KEYS; the others can be removed then."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        rotation = rotate_draw_secrets(now=timezone.now())
        self.stdout.write(f"{rotation.rotated} secrets encrypted anew, {rotation.current} were already.")
        if rotation.failed:
            raise CommandError(
                f"Keep the old keys: the secrets of {', '.join(rotation.failed)} could not be read, or are not "
                "those their draws committed to."
            )
