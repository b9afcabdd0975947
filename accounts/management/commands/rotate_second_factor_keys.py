"""`manage.py rotate_second_factor_keys`: after a new key was put in front of `SECOND_FACTOR_KEYS`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.second_factor import SecretUnreadableError, reencrypt_secrets


class Command(BaseCommand):
    """Encrypt all stored secrets of second factors anew."""

    help = (
        "Encrypt the secrets of all authenticator apps and recovery codes with the first of SECOND_FACTOR_KEYS; "
        "the others can be removed then."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = reencrypt_secrets()
        except SecretUnreadableError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{count} secrets are encrypted with the newest key.")
