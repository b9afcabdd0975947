"""The ledger under real parallel connections."""

import contextlib
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction

from payments.accounts import ensure_accounts, member_account
from payments.checking import check_ledger
from payments.ledger import IdempotencyConflictError, InsufficientFundsError, post_many
from payments.models import Account, LedgerEntry
from tests.factories import alice, bob, make_user
from tests.payments.books import NOW, balance, give, move, spec, wallet, world

pytestmark = pytest.mark.usefixtures("cloned_db")

Parallel = Callable[..., Any]


def test_eight_clients_on_one_wallet_never_take_more_than_there_is(parallel: Parallel) -> None:
    give(alice(), 1_000)
    hers, his = wallet(alice()), wallet(bob())

    def spend(client: int) -> int:
        spent = 0
        for turn in range(40):
            with contextlib.suppress(InsufficientFundsError):
                move(hers, his, 7, idem_key=f"spend:{client}:{turn}")
                spent += 7
        return spent

    outcomes = parallel(spend, 8)
    assert outcomes.errors == []
    assert sum(outcomes.results) == balance(his) == 994
    assert balance(hers) == 6
    assert check_ledger() == []


def test_the_same_key_at_once_posts_once_and_all_get_that_entry(parallel: Parallel) -> None:
    give(alice(), 1_000)
    hers, his = wallet(alice()), wallet(bob())
    outcomes = parallel(lambda: [move(hers, his, 10, idem_key=f"gift:{turn}") for turn in range(25)], 8)
    assert outcomes.errors == []
    for attempts in zip(*outcomes.results, strict=True):
        assert len({entry.pk for entry in attempts}) == 1
        assert sum(entry.is_new for entry in attempts) == 1
    assert balance(hers) == 750
    assert check_ledger() == []


def test_the_same_key_at_once_with_two_contents_posts_one_of_them(parallel: Parallel) -> None:
    give(alice(), 1_000)
    hers, his = wallet(alice()), wallet(bob())
    outcomes = parallel(lambda client: move(hers, his, 10 + client % 2, idem_key="gift:1"), 8)
    assert len(outcomes.results) == 4
    assert all(isinstance(error, IdempotencyConflictError) for error in outcomes.errors)
    assert (
        balance(hers) == 1_000 - LedgerEntry.objects.get(idem_key="gift:1").postings.get(account=his).amount
    )


def test_a_second_attempt_waits_for_the_first_and_takes_over_when_that_fails(
    cloned_db: Any, parallel: Parallel
) -> None:
    give(alice(), 100)
    hers, his = wallet(alice()), wallet(bob())
    posted, waiting = threading.Event(), threading.Event()

    class CrashError(Exception):
        pass

    def attempt(client: int) -> LedgerEntry:
        if client == 0:
            with transaction.atomic():
                move(hers, his, 10, idem_key="gift:1")
                posted.set()
                assert waiting.wait(30)
                raise CrashError
        assert posted.wait(30)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            watched = (cloned_db.url, cursor.fetchone()[0], waiting)
        threading.Thread(target=_tell_when_it_waits, args=watched).start()
        return move(hers, his, 10, idem_key="gift:1")

    outcomes = parallel(attempt, 2)
    assert [type(error) for error in outcomes.errors] == [CrashError]
    assert outcomes.results[0].is_new
    assert balance(hers) == 90


def test_two_accounts_in_opposite_order_do_not_deadlock(parallel: Parallel) -> None:
    give(alice(), 10_000)
    give(bob(), 10_000)
    pair = [wallet(alice()), wallet(bob())]

    def back_and_forth(client: int) -> None:
        source, target = pair if client % 2 else pair[::-1]
        for turn in range(60):
            move(source, target, 1, idem_key=f"{client}:{turn}")

    outcomes = parallel(back_and_forth, 8)
    assert outcomes.errors == []
    assert balance(pair[0]) + balance(pair[1]) == 20_000
    assert check_ledger() == []


def test_many_at_once_over_the_same_accounts_and_keys_do_not_deadlock(parallel: Parallel) -> None:
    made = ensure_accounts([member_account(make_user().pk, "KES") for _ in range(12)])
    wallets = list(made.values())
    post_many([spec((world(), -10_000), (each, 10_000)) for each in wallets], now=NOW)
    pairs = list(itertools.permutations(wallets, 2))
    specs = [spec((a, -1), (b, 1), idem_key=f"pair:{n}") for n, (a, b) in enumerate(pairs)]

    def post_all(client: int) -> int:
        new = 0
        for turn in range(5):
            chosen = specs[turn :: client % 3 + 1]
            new += sum(e.is_new for e in post_many(chosen[::-1] if client % 2 else chosen, now=NOW))
        return new

    outcomes = parallel(post_all, 6)
    assert outcomes.errors == []
    assert sum(outcomes.results) == len(specs)
    assert {each.balance for each in Account.objects.filter(pk__in=[w.pk for w in wallets])} == {10_000}
    assert check_ledger() == []


def test_the_outside_world_is_no_queue(cloned_db: Any, parallel: Parallel) -> None:
    """An open transaction that has posted to it keeps nobody else from posting to it."""
    give(alice(), 1)
    hers, his, outside = wallet(alice()), wallet(bob()), world()
    with transaction.atomic():
        move(outside, hers, 5)
        outcomes = parallel(lambda: move(outside, his, 5), 1, seconds=20)
        assert outcomes.errors == []
    assert (balance(hers), balance(his)) == (6, 5)


def test_ensuring_the_same_accounts_at_once_makes_each_once(parallel: Parallel) -> None:
    people = [make_user().pk for _ in range(30)]

    def ensure(client: int) -> list[int]:
        order = people if client % 2 else people[::-1]
        made = ensure_accounts([member_account(pk, "CREDIT") for pk in order])
        return sorted(account.pk for account in made.values())

    outcomes = parallel(ensure, 6)
    assert outcomes.errors == []
    assert len({tuple(pks) for pks in outcomes.results}) == 1
    assert Account.objects.filter(unit="CREDIT").count() == 30


def test_two_writers_by_straight_sql_from_one_version_are_not_both_taken(cloned_db: Any) -> None:
    """Without the ledger's locks, the trigger and the unique version refuse the second."""
    give(alice(), 100)
    hers, outside = wallet(alice()), world()
    insert = (
        "INSERT INTO payments_posting (entry_id, position, account_id, unit, amount, balance_after, version)"
        " VALUES (%(entry)s, 1, %(hers)s, 'KES', -60, 40, 2), (%(entry)s, 2, %(outside)s, 'KES', 60, NULL, NULL)"
    )
    entry = (
        "INSERT INTO payments_ledgerentry (public_id, idem_key, kind, about, reason, digest, created_at)"
        " VALUES (gen_random_uuid(), %s, 'test.raw', 'a', '', '', now()) RETURNING id"
    )
    refused: list[BaseException] = []
    with psycopg.connect(cloned_db.url) as first, psycopg.connect(cloned_db.url) as second:
        ids = [c.execute(entry, [f"raw:{n}"]).fetchone()[0] for n, c in enumerate((first, second))]
        values = {"hers": hers.pk, "outside": outside.pk}
        first.execute(insert, values | {"entry": ids[0]})

        def late() -> None:
            try:
                second.execute(insert, values | {"entry": ids[1]})
            except psycopg.IntegrityError as error:
                refused.append(error)

        waiting = threading.Event()
        thread = threading.Thread(target=late)
        thread.start()
        _tell_when_it_waits(cloned_db.url, second.info.backend_pid, waiting)
        assert waiting.is_set()
        first.commit()
        thread.join(30)
        second.rollback()
    assert len(refused) == 1
    assert balance(hers) == 40
    assert [difference for difference in check_ledger() if "no postings" not in difference.what] == []


def _tell_when_it_waits(url: str, pid: int, event: threading.Event) -> None:
    """Set `event` once the server process `pid` waits for a lock."""
    with psycopg.connect(url, autocommit=True) as observer:
        for _ in range(3_000):
            query = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s"
            if observer.execute(query, [pid]).fetchone() == ("Lock",):
                event.set()
                return
            time.sleep(0.01)
