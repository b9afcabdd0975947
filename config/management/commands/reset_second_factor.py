"""`manage.py reset_second_factor`: for the admin who lost phone, passkey and codes, and has nobody to ask."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.models import User, normalise_email
from config.second_factor import reset_second_factor


class Command(BaseCommand):
    """Remove the second factor of one person."""

    help = "Remove somebody's second factor and sign them out everywhere; staff set up a new one at their next sign-in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True, help="the address of the account")

    def handle(self, *args: Any, **options: Any) -> None:
        email = normalise_email(options["email"])
        person = User.objects.filter(email=email).first()
        if person is None:
            raise CommandError(f"Nobody has an account with {email}.")
        if reset_second_factor(person=person, by=None, now=timezone.now()):
            self.stdout.write(f"{email} signs in with the password alone until a new factor is set up.")
        else:
            self.stdout.write(f"{email} has no second factor: nothing to do.")
