"""The webhook over real HTTP, byte for byte, and in a storm: everything thrice, shuffled, from eight clients.

Meanwhile the web process and the worker are killed at any moment. A client does what Paystack does: what was not answered
with 200 or 400 it sends again. In the end each payment is credited once, and each event is done or shown to people.
"""

import datetime as dt
import json
import random
import socket
import threading
import uuid
from collections import Counter
from http.client import HTTPConnection, HTTPException

from django.db import connection
from django.utils import timezone

from accounts.models import User
from payments.models import LedgerEntry, Payment, ReviewItem, WebhookEvent
from payments.packages import KIND
from payments.services.webhook import LEASE, work_on_due_events
from payments.standin.models import OutgoingWebhook
from tests.draws.processes import database_gone
from tests.draws.storms import let_jobs_run_every_second
from tests.factories import alice, bob, carol, dave, make_user
from tests.live import wait_until
from tests.payments import events
from tests.payments.shop import (
    WEBHOOK,
    assert_books_balance,
    credits_of,
    make_payment,
    signature,
    success_event,
)

CLIENTS = 8
PATIENCE_S = 120


def post(port: int, body: bytes, **headers: str) -> tuple[int, bytes]:
    """One request with these bytes; raises OSError or HTTPException where no whole answer came."""
    line = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        line.request("POST", WEBHOOK, body, {"Content-Type": "application/json", **headers})
        answer = line.getresponse()
        return answer.status, answer.read()
    finally:
        line.close()


def signed(body: bytes) -> dict[str, str]:
    return {"x-paystack-signature": signature(body)}


def test_raw_bytes_get_the_answers_of_the_table(live_site):
    payment, port = make_payment(), live_site.port
    body = json.dumps(success_event(payment), indent=1, ensure_ascii=False).encode()
    assert post(port, body, **{"x-paystack-signature": "a" * 128})[0] == 401
    assert post(port, body)[0] == 401
    assert raw(port, body, b"x-paystack-signature: \xff\xfe\xe9\r\n").startswith(b"HTTP/1.1 401")
    assert raw(port, body, b"x-paystack-signature: " + signature(body + b" ").encode() + b"\r\n").startswith(
        b"HTTP/1.1 401"
    )
    assert credits_of(alice()) == 0
    large = b" " * 300 * 1024
    assert post(port, large, **signed(large))[0] == 413
    for other in (b'{"event": "charge.success", "data": [{"reference": "x"}]}', b"\x00\xff", b"[]"):
        assert post(port, other, **signed(other))[0] == 400
    assert post(port, body, **signed(body)) == (200, b'{"received": true}')
    assert post(port, body, **signed(body)) == (200, b'{"received": true}')
    assert credits_of(alice()) == 50
    assert WebhookEvent.objects.get(payment=payment).delivery_count == 2


def raw(port: int, body: bytes, header: bytes) -> bytes:
    """What a client gets that sends a header as no library would."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        start = f"POST {WEBHOOK} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        line.sendall(start.encode() + header + b"\r\n" + body)
        return b"".join(iter(lambda: line.recv(65_536), b""))


def test_without_the_database_it_is_left_to_paystack_and_nothing_is_lost(live_site, cloned_db):
    body = json.dumps(success_event(make_payment())).encode()
    with database_gone(cloned_db):
        assert post(live_site.port, body, **signed(body))[0] == 503
    connection.close()  # ours was cut, too
    wait_until(
        lambda: post(live_site.port, body, **signed(body))[0] == 200,
        "the database's return",
        PATIENCE_S,
        live_site.web,
    )
    assert credits_of(alice()) == 50


class Paystack(threading.Thread):
    """A client that sends its share, and sends again what was not taken."""

    def __init__(self, port: int, share: list[bytes]) -> None:
        super().__init__(daemon=True)
        self.port, self.share = port, share
        self.answers: Counter[int] = Counter()

    def run(self) -> None:
        left = list(self.share)
        while left:
            body = left.pop(0)
            try:
                status, _content = post(self.port, body, **signed(body))
            except (OSError, HTTPException):
                status = 0  # the process died under it
                threading.Event().wait(0.05)  # while nobody listens
            self.answers[status] += 1
            if status not in (200, 400):
                left.append(body)


def promised_by(theirs: list[dict], buyer: User) -> list[Payment]:
    """Payments of ours under the references that documented charges name, at their price."""
    charges = {
        event["data"]["reference"]: event["data"] for event in theirs if event["event"] == "charge.success"
    }
    now = timezone.now()
    return Payment.objects.bulk_create(
        Payment(
            reference=reference,
            checkout_key=uuid.uuid4(),
            member=buyer,
            email=buyer.email,
            kind=KIND,
            item="documented",
            title="One credit",
            credits=1,
            price=said["amount"],
            currency=said["currency"],
            domain=said["domain"],
            status="initialized",
            created_at=now,
            check_after=now + dt.timedelta(days=1),
        )
        for reference, said in charges.items()
    )


def test_a_storm_of_events_credits_each_payment_once(live_site, soak_rounds):
    buyers = [alice(), bob(), carol(), dave()]
    payments = [make_payment(buyer=buyers[number % 4]) for number in range(soak_rounds(12, 60))]
    bodies = [
        json.dumps(event).encode()
        for number, one in enumerate(payments, 1)
        for event in events.about(one, number)
    ]
    theirs = events.documented()
    another = make_user()
    also_ours = promised_by(theirs, another)
    bodies = (bodies + [json.dumps(event).encode() for event in events.strangers() + theirs]) * 3
    chance = random.Random(len(bodies))
    chance.shuffle(bodies)
    let_jobs_run_every_second()
    worker, beat = live_site.start_worker(), live_site.start_beat()
    clients = [Paystack(live_site.port, bodies[index::CLIENTS]) for index in range(CLIENTS)]
    kills: Counter[str] = Counter()
    for client in clients:
        client.start()
    while any(client.is_alive() for client in clients) or kills.total() < soak_rounds(4, 60):
        threading.Event().wait(chance.uniform(0.05, 0.8))
        if chance.random() < 0.5:
            worker.kill()
            worker = live_site.start_worker(wait=False)
            kills["worker"] += 1
        elif live_site.web is not None:
            live_site.web.kill()
            live_site.start_web()
            kills["web"] += 1
    answers = sum((client.answers for client in clients), Counter())
    print(f"{dict(answers)} answers, {dict(kills)} kills of {len(bodies)} deliveries")
    assert set(answers) <= {0, 200, 400, 503}
    work_on_due_events(now=timezone.now() + LEASE)
    beat.stop()
    worker.stop()
    assert not WebhookEvent.objects.filter(state__in=("received", "failed")).exists()
    assert {credits_of(buyer) for buyer in buyers} == {len(payments) // 4 * 50}
    assert credits_of(another) == len(also_ours)
    settled = LedgerEntry.objects.filter(kind="payment.settled")
    assert settled.count() == len(payments) + len(also_ours)
    assert set(Payment.objects.values_list("status", flat=True)) == {"succeeded"}
    assert WebhookEvent.objects.count() == len(set(bodies))
    strange = list(
        ReviewItem.objects.exclude(kind__in=("metadata", "bad_event")).values_list("kind", "reason")
    )
    print(f"of {len(theirs)} documented ones: {len(also_ours)} payments; for people: {strange}")
    assert theirs or not strange
    assert not OutgoingWebhook.objects.exists()
    assert_books_balance()
