"""The ledger: two-legged entries a second with four clients, a busy account, and 10,000 entries at once.

`python -m benchmarks.bench_ledger`. Two peers on the same server, in rounds that alternate, after one that does
not count; the medians are compared.

- *django-hordak*: a ledger for Django, by its own `transfer_to`; and with what an application has to do around that so
  that nobody overdraws, which ours always sees to (`benchmarks.hordak_peer`).
- *bare SQL*: the same rows into copies of the same tables, with the same indexes, foreign keys and durability but
  without triggers, through psycopg alone: prepared statements, no ORM, no idempotency, no check of anything.

Ours and the bare tables hold `ACCOUNTS` accounts beside those that are posted to. *All to one account*: every entry
takes from a member and gives to the same account, once one that is not materialised (revenue), and for
comparison once one that is and is locked for each entry.

Commits reach the disk, which four clients mostly wait for. Once more without that wait it is the work that is compared.
"""

import datetime as dt
import os
import random
import statistics
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import cache, partial
from multiprocessing.synchronize import Barrier

import psycopg

from benchmarks import hordak_peer
from benchmarks.clients import Client, Round, not_waiting_for_the_disk, run_round
from benchmarks.figures import show, spread
from benchmarks.scratch import in_a_process, scratch_database

POSTS = 1_000  # by each client in a round
ROUNDS = 3
MEMBERS = 200
ACCOUNTS = 100_000
BULK = 10_000
UNIT = "KES"
REVENUE, HOT = "revenue:bench:KES", "hot:bench:KES"
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
    with scratch_database("ledger") as ours, scratch_database("hordak") as theirs:
        os.environ["DATABASE_URL"] = theirs
        in_a_process(partial(hordak_peer.prepare, MEMBERS), settings=hordak_peer.SETTINGS)
        os.environ["DATABASE_URL"] = ours
        in_a_process(_prepare)
        _report_posts(theirs)
        _report_busy()
        _report_bulk()


def _report_posts(hordak_address: str) -> None:
    clients = {
        "ours": partial(_post, _two_members),
        "bare SQL": _post_bare,
        "django-hordak": partial(hordak_peer.transfer, hordak_address, False),
    }
    # A session keeps the plans it makes at its beginning, and those made for empty tables are bad for each of them.
    _in_rounds(clients, range(-1, 0))
    _show_posts("two-legged entries a second, 4 clients", _in_rounds(clients, range(ROUNDS)), at_least=2_000)
    clients["django-hordak, overdraft refused"] = partial(hordak_peer.transfer, hordak_address, True)
    with not_waiting_for_the_disk():
        found = _in_rounds(clients, range(ROUNDS, 2 * ROUNDS))
    _show_posts("the same, not waiting for the disk", found)
    _show_costs(found)


def _in_rounds(clients: dict[str, Client], numbers: Iterable[int]) -> dict[str, list[Round]]:
    """The rounds of each, in turns."""
    found: dict[str, list[Round]] = {name: [] for name in clients}
    for number in numbers:
        for name, client in clients.items():
            found[name].append(run_round(client, number=number, turns=POSTS))
    return found


def _rates(rounds: Iterable[Round]) -> list[float]:
    return [one.a_second for one in rounds]


def _show_posts(what: str, found: dict[str, list[Round]], *, at_least: int | None = None) -> None:
    mine = statistics.median(_rates(found["ours"]))
    show(what, ours=spread(_rates(found["ours"])), value=mine, at_least=at_least)
    for name, rounds in found.items():
        if name != "ours":
            rates = _rates(rounds)
            ratio = mine / statistics.median(rates)
            reach = 4 if name == "django-hordak" else None
            show(f"{what}: {name}", ours=f"{mine:,.0f}", peer=spread(rates), ratio=ratio, at_least=reach)


def _show_costs(found: dict[str, list[Round]]) -> None:
    costs = {name: [one.cost for one in rounds] for name, rounds in found.items()}
    mine = costs.pop("ours")
    for name, theirs in costs.items():
        show(
            f"processor time of an entry, client and server, µs: {name}",
            ours=spread(mine),
            peer=spread(theirs),
            ratio=statistics.median(theirs) / statistics.median(mine),
        )


def _report_busy() -> None:
    clients = {"revenue": partial(_post, _to_revenue), "hot": partial(_post, _to_hot)}
    clients["apart"] = partial(_post, _two_members)
    found = _in_rounds(clients, range(2 * ROUNDS, 3 * ROUNDS))
    busy, locked, apart = (_rates(found[name]) for name in ("revenue", "hot", "apart"))
    mine, hot, free = map(statistics.median, (busy, locked, apart))
    what = "all to one account that keeps no balance"
    show(f"{what}, beside different accounts", ours=spread(busy), peer=spread(apart), ratio=mine / free)
    show(f"{what}, beside one locked account", ours=f"{mine:,.0f}", peer=spread(locked), ratio=mine / hot)


def _report_bulk() -> None:
    ours, bare = [], []
    for number in range(ROUNDS):
        bare.append(in_a_process(partial(_bulk_bare, number)))
        ours.append(in_a_process(partial(_bulk_ours, number)))
    mine, peer = statistics.median(ours), statistics.median(bare)
    show(
        f"{BULK:,} entries at once, ms; bare: rows made in the server",
        ours=spread(ours),
        peer=spread(bare),
        ratio=mine / peer,
    )


# ── Clients ───────────────────────────────────────────────────────────────────────────────────────────────

Choose = Callable[[random.Random, list], tuple]


def _two_members(choose: random.Random, members: list) -> tuple:
    return tuple(choose.sample(members, 2))


def _to_revenue(choose: random.Random, members: list) -> tuple:
    return choose.choice(members), _account(REVENUE)


def _to_hot(choose: random.Random, members: list) -> tuple:
    return choose.choice(members), _account(HOT)


def _post(pair: Choose, index: int, number: int, turns: int, barrier: Barrier) -> None:
    ledger, members = _ledger()
    choose = random.Random(f"{index}:{number}")
    for turn in range(-20, turns):
        if turn == 0:
            barrier.wait()
        source, target = pair(choose, members)
        ledger.post(
            idem_key=f"bench:{pair.__name__}:{index}:{number}:{turn}",
            kind="bench.moved",
            legs=[ledger.Leg(source, -1), ledger.Leg(target, 1)],
            about="bench",
            actor=None,
            now=NOW,
        )
    barrier.wait()
    barrier.wait()


def _post_bare(index: int, number: int, turns: int, barrier: Barrier) -> None:
    with closing(psycopg.connect(os.environ["DATABASE_URL"], prepare_threshold=1)) as connection:
        accounts = [
            pk for (pk,) in connection.execute("SELECT id FROM bare_account WHERE owner_id IS NOT NULL")
        ]
        choose = random.Random(f"{index}:{number}")
        for turn in range(-20, turns):
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
        barrier.wait()


# ── At once ───────────────────────────────────────────────────────────────────────────────────────────────


def _bulk_ours(number: int) -> float:
    """Milliseconds, from the list of what to pay to the commit, the building of the specs included."""
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
    return 1_000 * (time.perf_counter() - began)


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
        return 1_000 * (time.perf_counter() - began)


# ── Django's side, imported late: the settings read the address of the scratch database when they are loaded ────


def _prepare() -> None:
    from django.core.management import call_command
    from django.db import connection

    from accounts.models import User
    from payments import accounts, ledger

    call_command("migrate", verbosity=0)
    people = User.objects.bulk_create([User(email=f"member{n}@example.com") for n in range(MEMBERS)])
    specs = [accounts.member_account(person.pk, UNIT) for person in people]
    busy = accounts.AccountSpec(code=REVENUE, unit=UNIT, floor=None, is_materialised=False)
    hot = accounts.AccountSpec(code=HOT, unit=UNIT, floor=None)
    others = [accounts.AccountSpec(code=f"other:{n}:{UNIT}", unit=UNIT) for n in range(ACCOUNTS)]
    made = accounts.ensure_accounts([*specs, busy, hot, *others, accounts.funding_account(UNIT)])
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
    """The ledger's module and the members' accounts."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from payments import ledger
    from payments.models import Account

    return ledger, list(Account.objects.exclude(owner=None).order_by("pk"))


@cache
def _account(code: str):
    from payments.models import Account

    return Account.objects.get(code=code)


if __name__ == "__main__":
    main()
