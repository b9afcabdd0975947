"""`manage.py process_payments`: what beat does for payments, by hand."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from payments import paystack
from payments.services.asking import check_due_payments, compare_with_listing
from payments.services.paying_out import send_due_withdrawals
from payments.services.refunding import ask_due_refunds
from payments.services.webhook import work_on_due_events
from payments.tasks import MOST_ROUNDS


class Command(BaseCommand):
    """Work on kept events, ask about open payments, refunds and withdrawals; with `--compare`, read Paystack's list as well."""

    help = "Works on Paystack's events, payments, refunds and withdrawals that are due."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--compare", action="store_true", help="hold Paystack's list of three days against ours"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        events = 0
        for _round in range(MOST_ROUNDS):
            tried = work_on_due_events(now=timezone.now())
            events += tried
            if not tried:
                break
        self.stdout.write(f"{events} events worked on.")
        self.stdout.write(f"{check_due_payments(now=timezone.now())} payments asked about.")
        self.stdout.write(f"{ask_due_refunds(now=timezone.now())} refunds asked for or about.")
        self.stdout.write(f"{send_due_withdrawals(now=timezone.now())} withdrawals sent or asked about.")
        if options["compare"]:
            try:
                self.stdout.write(f"{compare_with_listing(now=timezone.now())} new review items.")
            except paystack.PaystackError as error:
                raise CommandError(f"Paystack gave no answer: {error}") from error
