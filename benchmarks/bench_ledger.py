"""The ledger against bare SQL: two-legged entries a second with four clients, and 10,000 entries at once.

`python -m benchmarks.bench_ledger`. The peer writes the same rows into copies of the same tables, with the same
indexes, foreign keys and durability but without triggers, through psycopg alone: prepared statements, no ORM, no
idempotency, no check of anything. Both run in a scratch database that is dropped at the end, alternating, and the
medians are compared.
"""

import datetime as dt
import os
import random
import secrets
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from urllib.parse import urlsplit

import psycopg

from config import embedded

CLIENTS = 4
POSTS = 1_000  # by each client in a round
ROUNDS = 3
MEMBERS = 200
BULK = 10_000
UNIT = "KES"
NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)

_BARE_TABLES = """
CREATE TABLE bare_account (LIKE payments_account INCLUDING ALL);
CREATE TABLE bare_entry (LIKE payments_ledgerentry INCLUDING ALL);
CREATE TABLE bare_posting (LIKE payments_posting INCLUDING ALL,
    FOREIGN KEY (entry_id) REFERENCES bare_entry (id),
    FOREIGN KEY (account_id, unit) REFERENCES bare_account (id, unit));
INSERT INTO bare_account SELECT * FROM payments_account;
"""
_BARE_ENTRY = """
INSERT INTO bare_entry (public_id, idem_key, kind, about, reason, digest, created_at)
VALUES (gen_random_uuid(), %s, 'bench.moved', 'bench', '', '\\x00', %s) RETURNING id
"""
_BARE_ACCOUNT = """
UPDATE bare_account SET balance = balance + %s, version = version + 1 WHERE id = %s RETURNING balance, version
"""
_BARE_POSTINGS = """
INSERT INTO bare_posting (entry_id, position, account_id, unit, amount, balance_after, version)
VALUES (%s, 1, %s, 'KES', %s, %s, %s), (%s, 2, %s, 'KES', %s, %s, %s)
"""
_BARE_BULK = """
WITH entry AS (
    INSERT INTO bare_entry (public_id, idem_key, kind, about, reason, digest, created_at)
    SELECT gen_random_uuid(), 'bulk:' || %(round)s || ':' || n, 'bench.moved', 'bench', '', sha256('x'), %(now)s
    FROM generate_series(1, %(count)s) AS n RETURNING id
), leg AS (
    SELECT entry.id, leg.*, row_number() OVER (PARTITION BY leg.account_id ORDER BY entry.id) AS turn
    FROM entry, LATERAL (VALUES (1, %(source)s, -1), (2, %(first)s + entry.id %% %(members)s, 1))
        AS leg (position, account_id, amount)
), moved AS (
    INSERT INTO bare_posting (entry_id, position, account_id, unit, amount, balance_after, version)
    SELECT leg.id, position, account_id, 'KES', amount,
        balance + sum(amount) OVER (PARTITION BY account_id ORDER BY leg.id), version + turn
    FROM leg JOIN bare_account ON bare_account.id = account_id RETURNING account_id, amount
)
UPDATE bare_account SET balance = balance + total, version = version + postings
FROM (SELECT account_id, sum(amount) AS total, count(*) AS postings FROM moved GROUP BY account_id) AS sums
WHERE bare_account.id = account_id
"""


def main() -> None:
    """Run all of it and print the figures."""
    embedded.ensure()
    server = os.environ["DATABASE_URL"]
    name = f"bench_ledger_{secrets.token_hex(4)}"
    with closing(psycopg.connect(server, autocommit=True)) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        os.environ["DATABASE_URL"] = urlsplit(server)._replace(path=f"/{name}").geturl()
        try:
            _prepare()
            _report_posts()
            _report_bulk()
        finally:
            _disconnect()
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _report_posts() -> None:
    ours, bare = [], []
    for number in range(ROUNDS):
        bare.append(_posts_a_second(_post_bare, number))
        ours.append(_posts_a_second(_post_ours, number))
    mine, peer = statistics.median(ours), statistics.median(bare)
    print(f"two-legged entries a second, {CLIENTS} clients, median of {ROUNDS} rounds of {CLIENTS * POSTS:,}")
    print(f"  ledger.post   {mine:>8,.0f}  ({', '.join(f'{figure:,.0f}' for figure in ours)})")
    print(f"  bare SQL      {peer:>8,.0f}  ({', '.join(f'{figure:,.0f}' for figure in bare)})")
    print(f"  ratio         {mine / peer:>8.2f}")


def _report_bulk() -> None:
    ours, bare = [], []
    for number in range(ROUNDS):
        bare.append(_bulk_bare(number))
        ours.append(_bulk_ours(number))
    mine, peer = statistics.median(ours), statistics.median(bare)
    print(f"{BULK:,} entries of two legs at once, median of {ROUNDS}")
    print(f"  post_many     {mine * 1000:>8,.0f} ms, {BULK / mine:,.0f} a second")
    print(f"  bare SQL      {peer * 1000:>8,.0f} ms, rows made in the server by one statement")
    print(f"  ratio         {mine / peer:>8.2f}")


def _posts_a_second(client: Callable[[int, int, Barrier], None], number: int) -> float:
    """Entries a second of all clients together, each a process with one connection that is warm at the start."""
    processes = get_context("spawn")
    barrier = processes.Barrier(CLIENTS + 1)
    clients = [processes.Process(target=client, args=(index, number, barrier)) for index in range(CLIENTS)]
    for process in clients:
        process.start()
    barrier.wait()
    began = time.perf_counter()
    barrier.wait()
    seconds = time.perf_counter() - began
    for process in clients:
        process.join()
        if process.exitcode:
            raise SystemExit("a client failed: see above")
    return CLIENTS * POSTS / seconds


def _post_ours(index: int, number: int, barrier: Barrier) -> None:
    with _aborting(barrier):
        ledger, accounts = _ledger()
        choose = random.Random(f"{index}:{number}")
        for turn in range(-20, POSTS):
            if turn == 0:
                barrier.wait()
            source, target = choose.sample(accounts, 2)
            ledger.post(
                idem_key=f"bench:{index}:{number}:{turn}",
                kind="bench.moved",
                legs=[ledger.Leg(source, -1), ledger.Leg(target, 1)],
                about="bench",
                actor=None,
                now=NOW,
            )
        barrier.wait()


def _post_bare(index: int, number: int, barrier: Barrier) -> None:
    with (
        _aborting(barrier),
        closing(psycopg.connect(os.environ["DATABASE_URL"], prepare_threshold=1)) as connection,
    ):
        accounts = [
            pk for (pk,) in connection.execute("SELECT id FROM bare_account WHERE owner_id IS NOT NULL")
        ]
        choose = random.Random(f"{index}:{number}")
        for turn in range(-20, POSTS):
            if turn == 0:
                barrier.wait()
            amounts = dict(zip(choose.sample(accounts, 2), (-1, 1), strict=True))
            row = connection.execute(_BARE_ENTRY, [f"bench:{index}:{number}:{turn}", NOW]).fetchone()
            values: list[int] = []
            for account, amount in sorted(amounts.items()):
                moved = connection.execute(_BARE_ACCOUNT, [amount, account]).fetchone()
                values += [row[0], account, amount, *moved]
            connection.execute(_BARE_POSTINGS, values)
            connection.commit()
        barrier.wait()


def _bulk_ours(number: int) -> float:
    """Seconds, from the list of what to pay to the commit, the building of the specs included."""
    ledger, accounts = _ledger()
    source, *members = accounts
    began = time.perf_counter()
    ledger.post_many(
        [
            ledger.EntrySpec(
                idem_key=f"bulk:{number}:{turn}",
                kind="bench.moved",
                legs=[ledger.Leg(source, -1), ledger.Leg(members[turn % len(members)], 1)],
                about="bench",
            )
            for turn in range(BULK)
        ],
        now=NOW,
    )
    return time.perf_counter() - began


def _bulk_bare(number: int) -> float:
    with closing(psycopg.connect(os.environ["DATABASE_URL"])) as connection:
        owned = [
            pk
            for (pk,) in connection.execute(
                "SELECT id FROM bare_account WHERE owner_id IS NOT NULL ORDER BY id"
            )
        ]
        values = {"round": str(number), "now": NOW, "count": BULK, "source": owned[0], "first": owned[1]}
        began = time.perf_counter()
        connection.execute(_BARE_BULK, {**values, "members": len(owned) - 1})
        connection.commit()
        return time.perf_counter() - began


# Django's side is imported late: the settings read the address of the scratch database when they are loaded.


def _prepare() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from accounts.models import User
    from payments import accounts, ledger

    call_command("migrate", verbosity=0)
    people = User.objects.bulk_create([User(email=f"member{n}@example.com") for n in range(MEMBERS)])
    specs = [accounts.member_account(person.pk, UNIT) for person in people]
    made = accounts.ensure_accounts([*specs, accounts.funding_account(UNIT)])
    world = made[accounts.funding_code(UNIT)]
    ledger.post_many(
        [
            ledger.EntrySpec(
                idem_key=f"fund:{spec.code}",
                kind="bench.funded",
                legs=[ledger.Leg(world, -(10**9)), ledger.Leg(made[spec.code], 10**9)],
                about="bench",
            )
            for spec in specs
        ],
        now=NOW,
    )
    with connection.cursor() as cursor:
        cursor.execute(_BARE_TABLES)
        cursor.execute("ANALYZE")


def _ledger():
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from payments import ledger
    from payments.models import Account

    return ledger, list(Account.objects.exclude(owner=None).order_by("pk"))


def _disconnect() -> None:
    from django.db import connections

    connections.close_all()


class _aborting:
    """Frees the others from the barrier when a client fails."""

    def __init__(self, barrier: Barrier) -> None:
        self.barrier = barrier

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if kind is not None:
            self.barrier.abort()


if __name__ == "__main__":
    main()
