"""The trail beside the usual way to chain one: transactions a second that record something, sealing, verifying.

`python -m benchmarks.bench_audit`. The peer chains each record to the one before while it is written, under a lock
on the head of the chain that is held until its transaction commits; there is no other way to know the one before.
Both insert the same rows, and each transaction then works on for `WORK_MS`, as business does. Ours is sealed beside
it, as on the site. Runs in a scratch database, dropped at the end.
"""

import datetime as dt
import os
import statistics
import threading
import time
from collections.abc import Callable
from hashlib import sha256

from benchmarks.figures import show, spread
from benchmarks.scratch import scratch_database

CLIENTS = 8
SECONDS = 3.0
ROUNDS = 3
WORK_MS = 5
BULK = 100_000
NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)

_PEER_TABLES = """
CREATE TABLE chain_record (LIKE audit_record INCLUDING ALL);
ALTER TABLE chain_record ADD COLUMN digest text NOT NULL;
CREATE TABLE chain_head (id int PRIMARY KEY, digest text NOT NULL);
INSERT INTO chain_head VALUES (1, repeat('0', 64));
"""
_BULK_ROWS = """
INSERT INTO audit_record (at, action, target, data)
SELECT %s, 'bench.happened', 'bench:' || n, jsonb_build_object('n', n, 'hash', md5(n::text))
FROM generate_series(1, %s) AS n
"""


def main() -> None:
    """Run all of it and print the figures."""
    with scratch_database("audit") as address:
        os.environ["DATABASE_URL"] = address
        try:
            _prepare()
            _report_writers()
            _report_bulk()
        finally:
            _disconnect()


def _prepare() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    import django
    from django.core.management import call_command
    from django.db import connection

    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    with connection.cursor() as cursor:
        cursor.execute(_PEER_TABLES)


def _disconnect() -> None:
    from django.db import connections

    connections.close_all()


def _report_writers() -> None:
    ours, peer = [], []
    for _round in range(ROUNDS):
        peer.append(_transactions_a_second(_chain_one, sealing=False))
        ours.append(_transactions_a_second(_record_one, sealing=True))
    ratio = statistics.median(ours) / statistics.median(peer)
    what = f"recording transactions of {WORK_MS} ms a second, {CLIENTS} clients"
    show(f"{what}, chained under a lock", ours=spread(ours), peer=spread(peer), ratio=ratio)


def _report_bulk() -> None:
    from django.db import connection

    from audit.services import seal_backlog
    from audit.verification import verify_audit

    seal_backlog(now=NOW)
    with connection.cursor() as cursor:
        cursor.execute(_BULK_ROWS, [NOW, BULK])
    began = time.perf_counter()
    sealed = sum(seal.count for seal in seal_backlog(now=NOW))
    show(f"sealing {sealed:,} records, a second", ours=f"{sealed / (time.perf_counter() - began):,.0f}")
    began = time.perf_counter()
    report = verify_audit(now=NOW + dt.timedelta(hours=1))
    assert report.is_sound, [str(fault) for fault in report.faults]
    rate = report.records / (time.perf_counter() - began)
    show(f"verifying {report.records:,} records, a second", ours=f"{rate:,.0f}")


def _transactions_a_second(work: Callable[[int], None], *, sealing: bool) -> float:
    from django.db import connections

    from audit.services import seal_new_records

    done = [0] * CLIENTS
    end = threading.Event()

    def client(number: int) -> None:
        while not end.is_set():
            work(done[number])
            done[number] += 1
        connections.close_all()

    def sealer() -> None:
        while not end.wait(0.1):
            seal_new_records(now=NOW)
        connections.close_all()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    threads += [threading.Thread(target=sealer)] if sealing else []
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    time.sleep(SECONDS)
    end.set()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - began)


def _record_one(number: int) -> None:
    from django.db import connection, transaction

    from audit.services import record

    with transaction.atomic(), connection.cursor() as cursor:
        record(actor=None, action="bench.happened", target=f"bench:{number}", data={"n": number}, now=NOW)
        cursor.execute("SELECT pg_sleep(%s)", [WORK_MS / 1000])


def _chain_one(number: int) -> None:
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT digest FROM chain_head WHERE id = 1 FOR UPDATE")
        [before] = cursor.fetchone()
        data = f'{{"n":{number}}}'
        digest = sha256(f"{before}bench.happened bench:{number} {data}".encode()).hexdigest()
        cursor.execute(
            "INSERT INTO chain_record (at, action, target, data, digest) VALUES (%s, 'bench.happened', %s, %s, %s)",
            [NOW, f"bench:{number}", data, digest],
        )
        cursor.execute("UPDATE chain_head SET digest = %s WHERE id = 1", [digest])
        cursor.execute("SELECT pg_sleep(%s)", [WORK_MS / 1000])


if __name__ == "__main__":
    main()
