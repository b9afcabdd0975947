"""`manage.py check_ledger`: prove that the ledger is whole."""

from typing import Any

from django.core.management.base import BaseCommand

from payments.checking import MOST_DIFFERENCES, check_ledger
from payments.models import Account, LedgerEntry


class Command(BaseCommand):
    """Prints what differs and ends with 1 if anything does."""

    help = "Proves that balances are the sums of their postings and that every entry balances; prints what differs."

    def handle(self, *args: Any, **options: Any) -> None:
        differences = check_ledger()
        for difference in differences:
            self.stdout.write(self.style.ERROR(str(difference)))
        if differences:
            more = " or more" if len(differences) == MOST_DIFFERENCES else ""
            plural = "" if len(differences) == 1 else "s"
            self.stderr.write(f"The ledger does not add up: {len(differences)}{more} difference{plural}.")
            raise SystemExit(1)
        accounts, entries = Account.objects.count(), LedgerEntry.objects.count()
        self.stdout.write(
            self.style.SUCCESS(f"The ledger is whole: {entries:,} entries, {accounts:,} accounts.")
        )
