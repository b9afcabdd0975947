"""django-hordak on the same PostgreSQL: its tables and triggers, and its `transfer_to`, in processes of its own.

It keeps double entries balanced by a constraint trigger, as ours does. It has no keys against doing a thing twice, no floors,
no running balances (a balance is a sum) and nothing append-only.
"""

import os
import random
import warnings
from multiprocessing.synchronize import Barrier

SETTINGS = "benchmarks.hordak_settings"
UNIT = "EUR"  # its own default


def prepare(accounts: int) -> None:
    """Make its tables and some accounts."""
    from django.core.management import call_command
    from django.db import connection
    from hordak.models import Account

    warnings.simplefilter("ignore")
    call_command("migrate", verbosity=0)
    for number in range(accounts):
        Account.objects.create(name=f"member {number}", code=f"{number}", type="LI", currencies=[UNIT])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def transfer(address: str, index: int, number: int, turns: int, barrier: Barrier) -> None:
    """One client: `turns` transactions of two legs, after some to warm up."""
    os.environ |= {"DATABASE_URL": address, "DJANGO_SETTINGS_MODULE": SETTINGS}
    import django

    warnings.simplefilter("ignore")
    django.setup()
    from hordak.models import Account
    from moneyed import Money

    accounts = list(Account.objects.order_by("pk"))
    choose = random.Random(f"{index}:{number}")
    for turn in range(-20, turns):
        if turn == 0:
            barrier.wait()
        source, target = choose.sample(accounts, 2)
        source.transfer_to(target, Money(1, UNIT))
    barrier.wait()
