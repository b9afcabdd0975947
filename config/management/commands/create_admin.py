"""`manage.py create_admin`: makes the first Super Admin, from a terminal or a deploy script."""

import getpass
import os
import sys
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.models import User, normalise_email
from config.first_admin import create_super_admin


class Command(BaseCommand):
    """Make somebody a Super Admin."""

    help = (
        "Make somebody a Super Admin. Asks for what it is not told; a script gives --email and the password in "
        "the variable ADMIN_PASSWORD. Whoever has an account keeps its password."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", help="the address to sign in with")

    def handle(self, *args: Any, **options: Any) -> None:
        email = normalise_email(options["email"] or self._ask("E-mail: "))
        password = "" if User.objects.filter(email=email).exists() else self._password()
        try:
            outcome = create_super_admin(email=email, password=password, now=timezone.now())
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        if outcome.created:
            self.stdout.write(f"{email} is now a Super Admin and can sign in.")
        elif outcome.promoted:
            self.stdout.write(f"{email} is now a Super Admin and signs in with the password they have.")
        else:
            self.stdout.write(f"{email} is a Super Admin already: nothing to do.")

    def _password(self) -> str:
        given = os.environ.get("ADMIN_PASSWORD")
        if given is not None:
            return given
        if not sys.stdin.isatty():
            raise CommandError("There is no terminal to ask for a password: set ADMIN_PASSWORD.")
        password = getpass.getpass("Password: ")
        if password != getpass.getpass("The same again: "):
            raise CommandError("The two passwords differ.")
        return password

    def _ask(self, question: str) -> str:
        if not sys.stdin.isatty():
            raise CommandError("There is no terminal to ask for an address: give --email.")
        return input(question)
