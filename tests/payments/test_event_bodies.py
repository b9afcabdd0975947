"""Bodies of Paystack's events: kept as they came, emptied in time, by nobody and nothing else."""

import datetime as dt
import json

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts.privacy import person_of
from config import privacy as site_privacy
from config.privacy import export_of
from payments import privacy
from payments.models import Payment, ReviewItem, WebhookEvent
from payments.services import emptying
from payments.services.emptying import empty_bodies_of, empty_old_bodies
from payments.services.reviewing import open_review, resolve_review
from payments.services.webhook import work_on
from tests.factories import alice, bob, treasurer
from tests.payments.shop import (
    assert_books_balance,
    credits_of,
    dispute_event,
    kept_event,
    make_payment,
    send,
    success_event,
    transfer_event,
    withdrawal_of,
)

pytestmark = pytest.mark.django_db
CARD = {"customer": {"email": "alice@example.com"}, "authorization": {"last4": "4081"}}


def sql(statement: str, *values: object) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.rowcount


def later(days: float) -> dt.datetime:
    return timezone.now() + dt.timedelta(days=days)


def paid_event(client, **fields) -> WebhookEvent:
    """An event that is done, about a payment of Alice's, with her address and digits of her card."""
    payment = make_payment(**fields)
    assert send(client, success_event(payment, **CARD)).status_code == 200
    return kept_event()


def body_of(event: WebhookEvent) -> bytes:
    return bytes(WebhookEvent.objects.get(pk=event.pk).body)


class TestOldOnes:
    def test_the_body_of_a_finished_event_goes_after_its_time_and_the_rest_stays(self, client, settings):
        settings.PAYMENTS_WEBHOOK_BODY_DAYS = 30
        event = paid_event(client)
        rest = WebhookEvent.objects.filter(pk=event.pk).defer("body").values().get() | {"body": b""}
        assert empty_old_bodies(now=later(29)) == 0
        assert b"4081" in body_of(event)
        assert empty_old_bodies(now=later(31)) == 1
        kept = WebhookEvent.objects.filter(pk=event.pk).values().get()
        assert kept | {"body": b"", "digest": bytes(kept["digest"])} == rest | {
            "digest": bytes(rest["digest"])
        }
        assert bytes(kept["body"]) == b""
        assert empty_old_bodies(now=later(31)) == 0

    def test_who_begins_to_look_into_one_meanwhile_stops_only_that_one(self, client, monkeypatch):
        wanted, other = paid_event(client), paid_event(client)
        open_review(kind="event", key="x", reason="Odd", event=wanted, now=timezone.now())
        emptiable, looks = emptying._emptiable, []

        def before_the_item_was_opened():
            looks.append(1)
            if len(looks) > 1:
                return emptiable()
            return WebhookEvent.objects.filter(pk__in=[wanted.pk, other.pk])

        monkeypatch.setattr(emptying, "_emptiable", before_the_item_was_opened)
        assert empty_old_bodies(now=later(91)) == 1
        assert (len(looks), body_of(other)) == (2, b"")
        assert b"4081" in body_of(wanted)

    def test_the_daily_job_does_it(self, client):
        event = paid_event(client)
        assert site_privacy.erase_old_data(now=later(91))["webhook_bodies"] == 1
        assert body_of(event) == b""

    def test_many_are_one_statement(self, client, django_assert_num_queries):
        for _number in range(4):
            paid_event(client)
        with django_assert_num_queries(3):  # a savepoint around it
            assert empty_old_bodies(now=later(91)) == 4

    def test_a_repeat_of_an_emptied_event_is_known_and_answered_as_before(self, client):
        payment = make_payment()
        body = json.dumps(success_event(payment, **CARD)).encode()
        send(client, body)
        assert empty_old_bodies(now=later(91)) == 1
        assert send(client, body).status_code == 200
        [event] = WebhookEvent.objects.all()
        assert (event.delivery_count, event.state, bytes(event.body)) == (2, "done", b"")
        assert credits_of(alice()) == 50
        assert_books_balance()

    def test_working_on_an_emptied_event_again_changes_nothing(self, client):
        event = paid_event(client)
        empty_old_bodies(now=later(91))
        assert work_on(event_id=event.pk, now=later(92)).status == 200
        assert WebhookEvent.objects.get().state == "done"

    def test_one_that_failed_keeps_its_body_until_it_is_done(self, client, monkeypatch):
        payment = make_payment()
        with monkeypatch.context() as broken:
            broken.setattr("payments.services.webhook.settle_payment", None)
            send(client, success_event(payment))
        assert kept_event().state == "failed"
        assert empty_old_bodies(now=later(400)) == 0
        work_on(event_id=kept_event().pk, now=timezone.now())
        assert empty_old_bodies(now=later(400)) == 1

    def test_one_that_somebody_looks_into_keeps_it_until_that_is_resolved(self, client):
        send(client, b"nonsense")
        assert empty_old_bodies(now=later(400)) == 0
        resolve_review(
            item=ReviewItem.objects.get(), note="A test of theirs", by=treasurer(), now=timezone.now()
        )
        assert empty_old_bodies(now=later(400)) == 1

    def test_an_open_item_of_its_payment_counts_as_well(self, client):
        payment = make_payment()
        send(client, success_event(payment, amount=5))
        item = ReviewItem.objects.get()
        assert (item.event, item.payment) == (None, payment)
        assert empty_old_bodies(now=later(400)) == 0

    def test_a_disputed_payment_keeps_all_of_its_events_until_it_is_decided(self, client):
        event = paid_event(client)
        send(client, dispute_event(event.payment))
        item = ReviewItem.objects.get()
        resolve_review(item=item, note="Answered there", by=treasurer(), now=timezone.now())
        assert empty_old_bodies(now=later(400)) == 0
        resolved = {"status": "resolved", "resolution": "declined"}
        send(client, dispute_event(event.payment, "resolve", **resolved))
        assert empty_old_bodies(now=later(400)) == 3


class TestTheGuard:
    """Straight SQL, by somebody who goes around the services."""

    @pytest.mark.parametrize(
        "change",
        [
            "body = '{}'",
            "body = body || 'x'",
            "body = '', outcome = 'nothing'",
            "body = '', delivery_count = delivery_count + 1",
            "body = '', payment_id = NULL",
            "body = '', state = 'received'",
            "digest = digest",
            "digest = sha256('x')",
            "first_at = now()",
            "id = id + 1",
        ],
    )
    def test_nothing_but_the_body_and_nothing_but_empty(self, client, change):
        event = paid_event(client)
        before = body_of(event)
        with pytest.raises(DatabaseError):
            sql(f"UPDATE payments_webhookevent SET {change}")
        assert body_of(event) == before

    def test_a_finished_event_may_be_emptied_and_stays_empty(self, client):
        paid_event(client)
        assert sql("UPDATE payments_webhookevent SET body = ''") == 1
        with pytest.raises(DatabaseError, match="its body is what came"):
            sql("UPDATE payments_webhookevent SET body = 'another'")

    @pytest.mark.parametrize("state", ["received", "failed"])
    def test_an_unfinished_one_may_not(self, client, state):
        paid_event(client)
        sql("UPDATE payments_webhookevent SET state = %s, done_at = NULL", state)
        with pytest.raises(DatabaseError, match="only that of a finished event"):
            sql("UPDATE payments_webhookevent SET body = ''")

    def test_one_that_is_tried_again_may_not(self, client):
        paid_event(client)
        sql("UPDATE payments_webhookevent SET try_after = now()")
        with pytest.raises(DatabaseError, match="only that of a finished event"):
            sql("UPDATE payments_webhookevent SET body = ''")

    @pytest.mark.parametrize("about", ["event", "payment"])
    def test_one_with_an_open_item_may_not(self, client, about):
        event = paid_event(client)
        fields = {"event": event} if about == "event" else {"payment": event.payment}
        item = open_review(kind="event", key="x", reason="Odd", now=timezone.now(), **fields)
        with pytest.raises(DatabaseError, match="somebody still looks into it"):
            sql("UPDATE payments_webhookevent SET body = ''")
        resolve_review(item=item, note="Looked", by=treasurer(), now=timezone.now())
        assert sql("UPDATE payments_webhookevent SET body = ''") == 1

    def test_one_of_a_disputed_payment_may_not_though_only_its_reference_says_whose_it_is(self, client):
        event = paid_event(client)
        send(client, dispute_event(event.payment))
        ReviewItem.objects.update(state="resolved", resolved_at=timezone.now())
        WebhookEvent.objects.filter(pk=event.pk).update(payment=None)
        with pytest.raises(DatabaseError, match="somebody still looks into it"):
            sql("UPDATE payments_webhookevent SET body = '' WHERE id = %s", event.pk)

    @pytest.mark.parametrize(
        "statement", ["DELETE FROM payments_webhookevent", "TRUNCATE payments_webhookevent CASCADE"]
    )
    def test_none_is_deleted(self, client, statement):
        paid_event(client)
        sql("SET CONSTRAINTS ALL IMMEDIATE")  # what is deferred would hinder a TRUNCATE by itself
        with pytest.raises(DatabaseError, match="what happened with money stays"):
            sql(statement)


class TestAPerson:
    def test_erasing_somebody_empties_what_is_finished_of_theirs_alone(self, client):
        hers, his = paid_event(client), paid_event(client, buyer=bob())
        privacy.erase(person=person_of(alice()))
        assert (body_of(hers), body_of(his) == b"") == (b"", False)

    def test_also_what_tells_of_their_withdrawals(self, client):
        withdrawal = withdrawal_of(alice())
        send(client, transfer_event(withdrawal, recipient={"details": {"account_number": "0711000001"}}))
        ReviewItem.objects.update(state="resolved", resolved_at=timezone.now())
        assert b"0711000001" in body_of(kept_event())
        assert empty_bodies_of(bob()) == 0
        assert empty_bodies_of(alice()) == 1

    def test_one_statement_however_many(self, client, django_assert_num_queries):
        for _number in range(3):
            paid_event(client)
        member = alice()
        with django_assert_num_queries(1):
            assert empty_bodies_of(member) == 3

    def test_what_comes_after_the_erasure_is_emptied_by_the_daily_job(self, client):
        payment = make_payment()
        privacy.erase(person=person_of(alice()))
        payment.refresh_from_db()
        send(client, success_event(payment, **CARD))
        event = kept_event()
        assert b"4081" in body_of(event)
        assert empty_old_bodies(now=timezone.now()) == 1
        assert body_of(event) == b""

    def test_a_copy_says_what_is_kept(self, client):
        event = paid_event(client)
        paid_event(client, buyer=bob())
        [told] = export_of(person=person_of(alice()), now=timezone.now())["payments"]["events"]
        assert (told["event"], told["reference"]) == ("charge.success", event.payment.reference)
        assert (told["state"], told["is_body_kept"]) == ("done", True)
        empty_bodies_of(alice())
        [told] = export_of(person=person_of(alice()), now=timezone.now())["payments"]["events"]
        assert told["is_body_kept"] is False


def test_the_admin_says_that_a_body_was_emptied(client):
    event = paid_event(client)
    client.force_login(treasurer())
    address = f"/admin/payments/webhookevent/{event.pk}/change/"
    assert "4081" in client.get(address).content.decode()
    empty_old_bodies(now=later(91))
    page = client.get(address).content.decode()
    assert "Emptied: it was kept long enough" in page
    assert Payment.objects.get().status == "succeeded"
