"""django-hordak on the same PostgreSQL: its tables and triggers, in processes of its own.

It holds double entries balanced by a constraint trigger, as ours does. It has no keys against doing a thing twice, no
floors, no running balances (a balance is a sum) and nothing append-only. So there are two clients: one that only
calls `transfer_to`, and one that does around it what an application has to do so that nobody overdraws.
"""

import os
import random
import warnings
from multiprocessing.synchronize import Barrier

SETTINGS = "benchmarks.hordak_settings"
UNIT = "EUR"  # its own default


def prepare(accounts: int) -> None:
    """Make its tables and some accounts that have something."""
    from django.core.management import call_command
    from django.db import connection
    from hordak.models import Account
    from moneyed import Money

    warnings.simplefilter("ignore")
    call_command("migrate", verbosity=0)
    bank = Account.objects.create(name="bank", code="bank", type="AS", currencies=[UNIT])
    for number in range(accounts):
        account = Account.objects.create(
            name=f"member {number}", code=f"{number}", type="LI", currencies=[UNIT]
        )
        account.transfer_to(bank, Money(10**6, UNIT))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def transfer(address: str, checks: bool, index: int, number: int, turns: int, barrier: Barrier) -> None:
    """One client: `turns` transactions of two legs, after some to warm up; `checks`: that nobody overdraws."""
    os.environ |= {"DATABASE_URL": address, "DJANGO_SETTINGS_MODULE": SETTINGS}
    import django

    warnings.simplefilter("ignore")
    django.setup()
    from django.db import transaction
    from hordak.models import Account
    from moneyed import Money

    accounts = list(Account.objects.filter(type="LI").order_by("pk"))
    choose = random.Random(f"{index}:{number}")
    amount = Money(1, UNIT)
    for turn in range(-20, turns):
        if turn == 0:
            barrier.wait()
        source, target = choose.sample(accounts, 2)
        if not checks:
            target.transfer_to(source, amount)  # it credits the one it is called on
            continue
        with transaction.atomic():
            # Without `no_key` it would shut out the foreign keys of others' legs, and two clients could wait in a circle.
            Account.objects.select_for_update(no_key=True).get(pk=source.pk)
            if source.get_simple_balance()[UNIT] < amount:
                raise SystemExit(f"{source} would be overdrawn")
            target.transfer_to(source, amount)
    barrier.wait()
    barrier.wait()
