"""Webhooks of the stand-in: signed, sent over HTTP, sent again, and late, doubled, lost or forged on demand."""

import hashlib
import hmac
import json
import threading
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from payments.paystack import signature_is_valid
from payments.paystack_answers import read_refund, read_transaction, read_transfer
from payments.standin import services, shapes, webhooks
from payments.standin.models import Behaviour, OutgoingWebhook, Recipient, Refund, Transaction, Transfer
from tests.fakes.webhook import FakeReceiver, Trick

EVENT = {"event": "charge.success", "data": {"reference": "fg-ä"}}


@pytest.fixture
def receiver(settings):
    with FakeReceiver(status=200) as receiver:
        settings.SITE_URL = receiver.url.removesuffix("/hook")
        yield receiver


def note(now=None, **behaviour):
    if behaviour:
        Behaviour.objects.create(operation="webhook", **behaviour)
    webhooks.enqueue(EVENT, now=now or timezone.now())


@pytest.mark.django_db
class TestSending:
    def test_it_is_posted_and_signed_by_its_very_bytes(self, receiver, settings):
        note()
        assert webhooks.send_due(now=timezone.now()) == 1
        [heard] = receiver.heard
        assert heard.path == "/webhooks/paystack/"
        assert heard.json == EVENT
        wanted = hmac.new(settings.PAYSTACK_SECRET_KEY.encode(), heard.body, hashlib.sha512).hexdigest()
        assert heard.headers["x-paystack-signature"] == wanted
        assert signature_is_valid(body=heard.body, header=wanted, keys=[settings.PAYSTACK_SECRET_KEY])
        row = OutgoingWebhook.objects.get()
        assert (row.attempts, row.next_at, row.heard_at is not None) == (1, None, True)
        assert webhooks.send_due(now=timezone.now() + timedelta(days=1)) == 0

    @pytest.mark.parametrize("trick", [Trick.REFUSE, Trick.REDIRECT], ids=lambda trick: trick.name)
    def test_what_was_not_heard_is_sent_again(self, receiver, trick):
        receiver.trick = trick
        note()
        assert webhooks.send_due(now=timezone.now()) == 0
        assert webhooks.send_due(now=timezone.now()) == 0  # not at once
        assert len(receiver.heard) == 1
        receiver.trick = None
        assert webhooks.send_due(now=timezone.now() + timedelta(minutes=3)) == 1

    def test_only_status_200_is_heard_as_paystack_has_it(self, receiver):
        receiver.status = 202
        note()
        assert webhooks.send_due(now=timezone.now()) == 0

    def test_nobody_listens(self, settings):
        settings.SITE_URL = "http://127.0.0.1:9"
        note()
        assert webhooks.send_due(now=timezone.now()) == 0
        assert OutgoingWebhook.objects.get().last_answer

    def test_it_is_tried_every_three_minutes_then_hourly_then_given_up(self):
        began = now = timezone.now()
        waits = []
        while (at := webhooks.next_try(created_at=began, attempts=len(waits) + 1, now=now)) is not None:
            waits.append((at - now).total_seconds())
            now = at
        assert waits[:6] == [180, 180, 180, 180, 3600, 3600]
        assert timedelta(hours=71) < now - began <= timedelta(hours=72)

    def test_repeated(self, receiver):
        note(effect="repeat", value=3)
        assert webhooks.send_due(now=timezone.now()) == 4
        assert len({heard.body for heard in receiver.heard}) == 1

    def test_delayed(self, receiver):
        note(effect="delay", value=60)
        assert webhooks.send_due(now=timezone.now() + timedelta(seconds=59)) == 0
        assert webhooks.send_due(now=timezone.now() + timedelta(seconds=61)) == 1

    def test_reordered(self, receiver):
        now = timezone.now()
        note(now, effect="reorder")
        webhooks.enqueue({"event": "refund.pending", "data": {}}, now=now + timedelta(seconds=2))
        webhooks.send_due(now=now + timedelta(seconds=10))
        assert [heard.json["event"] for heard in receiver.heard] == ["refund.pending", "charge.success"]

    def test_lost(self, receiver):
        note(effect="lose")
        assert webhooks.send_due(now=timezone.now() + timedelta(days=4)) == 0
        assert receiver.heard == []

    def test_forged(self, receiver, settings):
        note(effect="forge")
        webhooks.send_due(now=timezone.now())
        [heard] = receiver.heard
        header = heard.headers["x-paystack-signature"]
        assert not signature_is_valid(body=heard.body, header=header, keys=[settings.PAYSTACK_SECRET_KEY])


class TestTogether:
    def test_two_who_send_at_once_send_each_once(self, cloned_db, parallel, receiver, monkeypatch):
        monkeypatch.setattr(webhooks, "send_soon", lambda: None)
        for _number in range(20):
            note()
        done = parallel(lambda: webhooks.send_due(now=timezone.now()), 4)
        assert done.errors == []
        assert sum(done.results) == 20
        assert len(receiver.heard) == 20

    def test_it_is_sent_at_once_when_it_is_committed_and_not_before(self, cloned_db, receiver):
        with transaction.atomic():
            note()
            before = [thread for thread in threading.enumerate() if thread.name == "standin-webhooks"]
        for thread in threading.enumerate():
            if thread.name == "standin-webhooks":
                thread.join(20)
        assert before == []
        assert len(receiver.heard) == 1
        assert OutgoingWebhook.objects.get().heard_at is not None

    @pytest.mark.parametrize("arguments", [("sweep",), ("dispute", "fg-1")], ids=" ".join)
    def test_a_command_leaves_nothing_to_a_thread_that_ends_with_it(
        self, cloned_db, receiver, monkeypatch, arguments
    ):
        now = timezone.now()
        asked = {"reference": "fg-1", "email": "a@b.example", "amount": 500, "currency": "KES"}
        row = services.begin(asked=asked, now=now)
        if arguments[0] == "sweep":
            services.pay_late(access_code=row.access_code, after=timedelta(0), now=now)
        else:
            Transaction.objects.update(status="success", paid_at=now)
        threads = []
        monkeypatch.setattr(webhooks, "_send_and_leave", lambda: threads.append(1))
        call_command("standin", *arguments)
        assert len(receiver.heard) == 1
        assert threads == []

    def test_one_whose_sender_was_killed_is_sent_by_the_next(self, cloned_db, receiver, monkeypatch):
        monkeypatch.setattr(webhooks, "send_soon", lambda: None)
        note()
        now = timezone.now()
        assert len(webhooks._claim(now, 10)) == 1  # and is never heard of again
        assert webhooks.send_due(now=now + timedelta(seconds=1)) == 0
        assert webhooks.send_due(now=now + webhooks.HOLD) == 1


@pytest.mark.django_db
class TestShapes:
    """What is sent is what the site's own reading takes."""

    def test_a_payment(self):
        row = services.begin(
            asked={"reference": "fg-1", "email": "a@b.example", "amount": 500, "currency": "KES"},
            now=timezone.now(),
        )
        row = services.pay(access_code=row.access_code, now=timezone.now())
        event = json.loads(bytes(OutgoingWebhook.objects.get().body))
        read = read_transaction(event["data"])
        assert (read.reference, read.status, read.amount, read.metadata) == ("fg-1", "success", 500, {})

    def test_a_refund_and_a_dispute(self):
        now = timezone.now()
        row = services.begin(
            asked={"reference": "fg-1", "email": "a@b.example", "amount": 500, "currency": "KES"}, now=now
        )
        row = services.pay(access_code=row.access_code, now=now)
        refund = Refund(transaction=row, amount=500, status="pending", created_at=now, updated_at=now)
        read = read_refund(shapes.refund_event(refund)["data"])
        assert (read.id, read.transaction_reference, read.amount) == ("", "fg-1", 500)
        for what in ("create", "remind", "resolve"):
            services.dispute(reference="fg-1", what=what, resolution="declined", now=now)
        events = [json.loads(bytes(sent.body)) for sent in OutgoingWebhook.objects.order_by("pk")[1:]]
        assert [event["event"] for event in events] == [
            "charge.dispute.create",
            "charge.dispute.remind",
            "charge.dispute.resolve",
        ]
        assert len({(event["data"]["id"], event["data"]["dueAt"]) for event in events}) == 1
        assert [event["data"]["resolution"] for event in events] == [None, None, "declined"]
        assert read_transaction(events[0]["data"]["transaction"]).reference == "fg-1"

    def test_a_transfer(self):
        now = timezone.now()
        recipient = Recipient(
            pk=1, code="RCP_1", name="Alice", created_at=now, bank_code="MPESA", currency="KES"
        )
        transfer = Transfer(
            pk=1,
            reference="fg-w",
            recipient=recipient,
            amount=500,
            currency="KES",
            status="failed",
            created_at=now,
            updated_at=now,
        )
        event = shapes.transfer_event(transfer, "M-PESA")
        assert event["event"] == "transfer.failed"
        assert read_transfer(event["data"]).status == "failed"
