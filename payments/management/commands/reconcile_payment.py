"""`manage.py reconcile_payment REFERENCE`: ask Paystack about one payment, and settle it if it was paid."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from payments import paystack
from payments.models import Payment
from payments.services.asking import NotKnownThereError, check_payment
from payments.services.settling import Source


class Command(BaseCommand):
    """By hand what the admin's act does; in the trail it is the site's own."""

    help = "Asks Paystack about one payment, and settles it if it was paid."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("reference")

    def handle(self, *args: Any, **options: Any) -> None:
        payment = Payment.objects.filter(reference=options["reference"]).first()
        if payment is None:
            raise CommandError(f"There is no payment {options['reference']}.")
        try:
            found = check_payment(payment=payment, source=Source.STAFF, now=timezone.now())
        except (NotKnownThereError, paystack.PaystackError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{found.was} -> {found.payment.status}: {found.result}, {found.credits_added} credits added."
        )
