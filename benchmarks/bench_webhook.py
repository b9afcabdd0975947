"""Paystack's webhook: signed `charge.success` in, credits in a wallet, beside a bare view that inserts one row.

`python -m benchmarks.bench_webhook`. Ours runs as the Procfile's web process does; each event pays another payment. In
such a crowd it is kept, durably, and answered; a worker settles, books, records and tells the buyer. The worker runs
after the answers were counted, and is timed by itself; then once more beside them, where both share the machine. The peer is a Django of its own in a
second granian with as many workers and threads: no middleware, one `INSERT` of the same body into a table of its own in
the same database, committed as durably. A repeat of a known event and an event about nothing of ours do less; they are
measured too.
"""

import datetime as dt
import hashlib
import hmac
import json
import os
import queue
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import psycopg

from benchmarks import figures
from benchmarks.scratch import in_a_process, scratch_database
from benchmarks.servers import p95, serving

CLIENTS = (50, 8)
EVENTS = 1_000
"""In each round."""
ROUNDS = 3
HOOK = "/webhooks/paystack/"
BUYERS = 200
REACH_MS = 100
KEY = "sk_test_" + "b" * 40
PEER = """
import os
import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import JsonResponse
from django.urls import path

settings.configure(
    SECRET_KEY="bench", ALLOWED_HOSTS=["*"], ROOT_URLCONF="bare_hook",
    DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql", **ADDRESS,
        "OPTIONS": {"pool": {"min_size": 1, "max_size": 10, "timeout": 10}},
    }},
)

def hook(request):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO bare_event (body, at) VALUES (%s, now())", [request.body])
    return JsonResponse({"received": True})

urlpatterns = [path("hook/", hook)]
application = get_wsgi_application()
"""


def main() -> None:
    """All loads on both servers, alternating."""
    with scratch_database("webhook") as url, tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # noqa: S103  (PostgreSQL runs as a user of its own)
        os.environ |= {
            "DATABASE_URL": url,
            "FAIRGROUND_DATA": folder,
            "MEDIA_ROOT": f"{folder}/media",
            "PAYSTACK_SECRET_KEY": KEY,
        }
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], check=True)
        with psycopg.connect(url) as connection:
            connection.execute(
                "CREATE TABLE bare_event (id bigserial PRIMARY KEY, body bytea, at timestamptz)"
            )
        bare = Path(folder) / "bare"
        bare.mkdir()
        (bare / "bare_hook.py").write_text(peer(url))
        with (
            serving("config.wsgi:application", dict(os.environ)) as ours,
            serving("bare_hook:application", {**os.environ, "PYTHONPATH": str(bare)}, folder=bare) as theirs,
        ):
            for clients in CLIENTS:
                compare(clients, ours, theirs)
        with psycopg.connect(url) as connection:
            unpaid = connection.execute(
                "SELECT count(*) FROM payments_payment WHERE entry_id IS NULL"
            ).fetchone()
            if unpaid != (0,):
                raise SystemExit(f"{unpaid} payments were not settled")


def compare(clients: int, ours: int, theirs: int) -> None:
    """Rounds of each kind of event, ours and the peer's in turn."""
    kept, repeats, strange, bare, settled, beside = [], [], [], [], [], []
    slowest, slowest_beside = [], []
    for _ in range(ROUNDS):
        in_a_process(partial(make_payments, EVENTS))
        bodies = unpaid_bodies()
        for port, path in ((ours, HOOK), (theirs, "/hook/")):  # warm
            send_all(port, path, [stranger() for _ in range(clients * 2)], clients)
        taken, seconds = send_all(ours, HOOK, bodies, clients)
        kept.append(len(bodies) / seconds)
        slowest.append(p95(taken))
        left = len(unpaid_bodies())
        settled.append(left / in_a_process(work_on_all))
        _taken, seconds = send_all(theirs, "/hook/", bodies, clients)
        bare.append(len(bodies) / seconds)
        _taken, seconds = send_all(ours, HOOK, bodies, clients)
        repeats.append(len(bodies) / seconds)
        _taken, seconds = send_all(ours, HOOK, [stranger() for _ in bodies], clients)
        strange.append(len(bodies) / seconds)
        in_a_process(partial(make_payments, EVENTS))
        bodies = unpaid_bodies()
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as pool:
            ready = Path(folder) / "ready"
            work = pool.submit(in_a_process, partial(work_on_all, len(bodies), ready))
            while not ready.exists() and not work.done():
                time.sleep(0.05)
            taken, seconds = send_all(ours, HOOK, bodies, clients)
            work.result()
        beside.append(len(bodies) / seconds)
        slowest_beside.append(p95(taken))
    for name, found, at_least in (
        ("charges kept and answered", kept, 0.6),
        ("the same, a worker settling beside", beside, None),
        ("charges settled by one worker afterwards", settled, None),
        ("repeats", repeats, None),
        ("events about nothing of ours", strange, None),
    ):
        figures.show(
            f"webhook, {name} a second, {clients} clients",
            ours=figures.spread(found),
            peer=f"bare insert {figures.spread(bare)}",
            ratio=statistics.median(found) / statistics.median(bare),
            at_least=at_least,
        )
    for name, found in (("a charge", slowest), ("a charge, a worker settling beside", slowest_beside)):
        figures.show(
            f"webhook, p95 of {name}, {clients} clients",
            ours=f"{figures.spread(found, ',.0f')} ms",
            value=statistics.median(found),
            at_most=REACH_MS if clients == max(CLIENTS) else None,
        )


def work_on_all(count: int = 0, ready: Path | None = None) -> float:
    """Settle whatever waits, until so many payments were paid since `ready` was there; returns the seconds it took."""
    from django.utils import timezone

    from payments.models import Payment
    from payments.services.webhook import LEASE, work_on_due_events

    unpaid = Payment.objects.filter(entry=None)
    before = unpaid.count()
    if ready:
        ready.touch()
    began = time.perf_counter()
    while work_on_due_events(now=timezone.now()) or before - unpaid.count() < count:
        if ready:
            time.sleep(0.01)
    seconds = time.perf_counter() - began
    work_on_due_events(now=timezone.now() + LEASE)  # what a web process held, and all of it is done by now
    return seconds


def make_payments(count: int) -> None:
    """Payments that wait to be paid."""
    from accounts.models import User
    from payments.models import Payment

    now = dt.datetime.now(dt.UTC)
    if not User.objects.exists():
        User.objects.bulk_create(User(email=f"buyer{number}@example.com") for number in range(BUYERS))
    buyers = list(User.objects.all())
    Payment.objects.bulk_create(
        Payment(
            reference=f"fg-{secrets.token_hex(12)}",
            checkout_key=uuid.uuid4(),
            member=buyers[number % len(buyers)],
            email=buyers[number % len(buyers)].email,
            kind="package",
            item="bench",
            title="Fifty credits",
            credits=50,
            price=40_000,
            currency="KES",
            domain="test",
            status="initialized",
            created_at=now,
            check_after=now + dt.timedelta(hours=1),
        )
        for number in range(count)
    )


def unpaid_bodies() -> list[bytes]:
    """The events that pay for whatever is not paid yet."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        rows = connection.execute(
            "SELECT reference, public_id FROM payments_payment WHERE entry_id IS NULL"
        ).fetchall()
    return [body(reference, str(public_id)) for reference, public_id in rows]


def body(reference: str, payment_id: str) -> bytes:
    """`charge.success` as Paystack writes it, with what it usually sends along."""
    data = {
        "id": secrets.randbelow(2**40) + 1,
        "domain": "test",
        "status": "success",
        "reference": reference,
        "amount": 40_000,
        "message": None,
        "gateway_response": "Successful",
        "paid_at": "2026-11-25T10:00:00.000Z",
        "created_at": "2026-11-25T09:59:00.000Z",
        "channel": "card",
        "currency": "KES",
        "ip_address": "192.0.2.1",
        "metadata": {"payment_id": payment_id, "credits": 50},
        "fees": 1_160,
        "customer": {"id": 7, "email": "buyer@example.com", "customer_code": "CUS_bench", "metadata": None},
        "authorization": {
            "authorization_code": "AUTH_bench",
            "last4": "4081",
            "channel": "card",
            "bank": "Bank",
        },
        "plan": {},
        "requested_amount": 40_000,
    }
    return json.dumps({"event": "charge.success", "data": data}).encode()


def stranger() -> bytes:
    """An event about nothing that is known here."""
    data = {"id": secrets.randbelow(2**40) + 1, "reference": secrets.token_hex(12), "status": "success"}
    return json.dumps({"event": "transfer.success", "data": data}).encode()


def send_all(port: int, path: str, bodies: list[bytes], clients: int) -> tuple[list[float], float]:
    """Milliseconds of each answer, and seconds for all of them, where no client ever waits."""
    waiting: queue.SimpleQueue[tuple[bytes, str]] = queue.SimpleQueue()
    for one in bodies:
        waiting.put((one, hmac.new(KEY.encode(), one, hashlib.sha512).hexdigest()))
    taken: list[float] = []
    wrong: list[int] = []

    def client() -> None:
        line = HTTPConnection("127.0.0.1", port, timeout=60)
        while True:
            try:
                content, signature = waiting.get_nowait()
            except queue.Empty:
                break
            began = time.perf_counter()
            headers = {"Content-Type": "application/json", "x-paystack-signature": signature}
            line.request("POST", path, content, headers)
            answer = line.getresponse()
            answer.read()
            taken.append((time.perf_counter() - began) * 1_000)
            if answer.status != 200:
                wrong.append(answer.status)
        line.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong or len(taken) != len(bodies):
        raise SystemExit(f"{path}: {len(taken)} of {len(bodies)} were answered, not with 200: {wrong[:5]}")
    return taken, time.perf_counter() - began


def peer(url: str) -> str:
    """The peer's module, with the address of the database in it."""
    told = psycopg.conninfo.conninfo_to_dict(url)
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    address = {ours: told[theirs] for theirs, ours in names.items() if theirs in told}
    return PEER.replace("ADDRESS", repr(address))


if __name__ == "__main__":
    main()
