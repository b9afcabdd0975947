"""Each row of the webhook's table, and what must hold of the inbox behind it."""

import json
import random
from collections import Counter
from contextlib import contextmanager

import pytest
from django.db import DatabaseError, OperationalError, connection, transaction
from django.utils import timezone, translation

from payments import hooks, tasks
from payments.models import LedgerEntry, Payment, ReviewItem, WebhookEvent, WebhookRefusal
from payments.services import webhook
from payments.services.settling import Result
from tests.factories import alice
from tests.payments import events
from tests.payments.shop import (
    KEY,
    OLD_KEY,
    assert_books_balance,
    credits_of,
    make_payment,
    send,
    signature,
    success_event,
)

pytestmark = pytest.mark.django_db
State = WebhookEvent.State


@pytest.mark.parametrize("address", ["/webhooks/paystack/", "/api/payments/webhook/"])
def test_a_payment_is_credited_by_either_address(client, address):
    answer = send(client, success_event(make_payment()), address=address)
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    assert credits_of(alice()) == 50
    event = WebhookEvent.objects.get()
    assert (event.state, event.answer, event.outcome) == ("done", 200, str(Result.SETTLED))
    assert event.payment is not None


@pytest.mark.parametrize("method", ["get", "put", "delete", "head", "patch", "options"])
def test_other_methods_are_refused_and_not_kept(client, method):
    assert getattr(client, method)("/webhooks/paystack/").status_code == 405
    assert not WebhookEvent.objects.exists()


def test_a_body_over_256_kib_is_refused_and_not_kept(client):
    body = b'{"event": "x", "data": "' + b"a" * 256 * 1024 + b'"}'
    assert send(client, body).status_code == 413
    assert not WebhookEvent.objects.exists()


def test_the_largest_body_that_is_taken(client):
    body = b'{"event": "x", "data": "'
    body += b"a" * (256 * 1024 - len(body) - 2) + b'"}'
    assert len(body) == 256 * 1024
    assert send(client, body).status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        "",
        "0" * 128,
        "ünïcödé",
        "\u202e" * 3,
        "sha512=",
        signature(b"another body", KEY),
        signature(b"{}", "sk_test_" + "x" * 40),
    ],
)
def test_a_missing_or_wrong_signature_is_counted_and_nothing_else(client, given):
    answer = send(client, b"{}", **{"x-paystack-signature": given})
    assert answer.status_code == 401
    assert not WebhookEvent.objects.exists()
    assert WebhookRefusal.objects.get().count == 1


def test_no_signature_at_all(client):
    assert client.post("/webhooks/paystack/", b"{}", content_type="application/json").status_code == 401


def test_a_body_changed_after_it_was_signed(client):
    payment = make_payment()
    body = json.dumps(success_event(payment)).encode()
    changed = body.replace(b"40000", b"40001")
    assert changed != body
    assert send(client, changed, **{"x-paystack-signature": signature(body)}).status_code == 401
    assert credits_of(alice()) == 0


def test_both_keys_count_while_they_are_changed(client, settings):
    settings.PAYSTACK_SECRET_KEY, settings.PAYSTACK_OLD_SECRET_KEY = KEY, OLD_KEY
    assert send(client, {"event": "a"}, key=KEY).status_code == 200
    assert send(client, {"event": "b"}, key=OLD_KEY).status_code == 200
    settings.PAYSTACK_OLD_SECRET_KEY = ""
    assert send(client, {"event": "c"}, key=OLD_KEY).status_code == 401


def test_without_any_key_nothing_is_believed(client, settings):
    settings.PAYSTACK_SECRET_KEY = settings.PAYSTACK_OLD_SECRET_KEY = ""
    assert send(client, {"event": "a"}, **{"x-paystack-signature": signature(b"", "x")}).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[]",
        b'"charge.success"',
        b"5",
        b"null",
        b"{}",
        b'{"event": ""}',
        b'{"event": 5}',
        b'{"event": null}',
        b"[" * 100_000,
        b'{"event": "charge.success", "data": [1, 2]}',
        b'{"event": "charge.success"}',
    ],
)
def test_what_is_signed_and_no_event_is_kept_for_people(client, body):
    answer = send(client, body)
    assert answer.status_code == 400
    assert bytes(WebhookEvent.objects.get().body) == body
    assert ReviewItem.objects.get().event is not None
    assert send(client, body).status_code == 400  # as before
    assert WebhookEvent.objects.get().delivery_count == 2
    assert ReviewItem.objects.count() == 1


@pytest.mark.parametrize("strange", ["\x00", "\ud800"])
def test_a_name_with_what_postgresql_can_not_keep(client, strange):
    assert send(client, {"event": f"a{strange}b", "data": {"reference": f"x{strange}"}}).status_code == 200
    assert WebhookEvent.objects.get().state == State.IGNORED


@pytest.mark.parametrize(
    "metadata", ["", 0, None, {}, [], "{", '{"other": 1}', {"userId": "x", "credits": 50}]
)
def test_a_charge_without_our_metadata_is_answered_400_and_credited_when_its_reference_is_ours(
    client, metadata
):
    assert send(client, success_event(make_payment(), metadata=metadata)).status_code == 400
    assert credits_of(alice()) == 50
    assert not ReviewItem.objects.exists()


def test_metadata_that_comes_as_text_of_json_is_ours(client):
    payment = make_payment()
    text = json.dumps({"payment_id": str(payment.public_id)})
    assert send(client, success_event(payment, metadata=text)).status_code == 200


def test_credits_come_from_the_payment_and_never_from_the_metadata(client):
    payment = make_payment()
    send(client, success_event(payment, metadata={"payment_id": str(payment.public_id), "credits": 10**6}))
    assert credits_of(alice()) == 50


@pytest.mark.parametrize("reference", ["somebody-elses", "", None, 5])
def test_a_charge_that_only_names_a_payment_of_ours_credits_nothing(client, reference):
    """Anybody may start a charge with any metadata; the reference is what we and Paystack agreed on."""
    payment = make_payment()
    assert send(client, success_event(payment, reference=reference)).status_code == 200
    assert credits_of(alice()) == 0
    item = ReviewItem.objects.get()
    assert (item.kind, item.payment) == ("orphan_there", payment)


def test_a_test_event_on_a_live_site_credits_nothing(client, settings):
    settings.PAYSTACK_SECRET_KEY = KEY.replace("sk_test_", "sk_live_")
    payment = make_payment()
    assert payment.domain == "live"
    assert send(client, success_event(payment, domain="test")).status_code == 200
    assert credits_of(alice()) == 0
    assert ReviewItem.objects.get().kind == "domain"


def test_a_repeat_gets_the_answer_of_the_first_and_is_counted(client):
    event = success_event(make_payment())
    assert [send(client, event).status_code for _time in range(3)] == [200] * 3
    kept = WebhookEvent.objects.get()
    assert (kept.delivery_count, kept.attempts) == (3, 1)
    assert credits_of(alice()) == 50


@contextmanager
def broken(monkeypatch, error):
    with monkeypatch.context() as patch:

        def fail(*args, **kwargs):
            raise error

        patch.setattr(webhook, "settle_payment", fail)
        yield


def test_what_fails_is_flagged_kept_and_done_by_a_repeat(client, monkeypatch):
    event = success_event(make_payment())
    with broken(monkeypatch, RuntimeError("a bug")):
        answer = send(client, event)
        assert (answer.status_code, answer.json()) == (200, {"flagged": True})
    kept = WebhookEvent.objects.get()
    assert (kept.state, kept.outcome) == ("failed", "RuntimeError: a bug")
    assert kept.try_after > timezone.now()
    assert ReviewItem.objects.get().state == "open"
    answer = send(client, event)
    assert (answer.status_code, answer.json()) == (200, {"flagged": True})  # as the first time
    kept.refresh_from_db()
    assert (kept.state, kept.try_after) == ("done", None)
    assert ReviewItem.objects.get().state == "resolved"
    assert credits_of(alice()) == 50


def test_what_failed_is_done_by_the_sweep_when_its_time_has_come(client, monkeypatch):
    with broken(monkeypatch, OperationalError("gone")):
        send(client, success_event(make_payment()))
    kept = WebhookEvent.objects.get()
    assert webhook.work_on_due_events(now=timezone.now()) == 0
    assert webhook.work_on_due_events(now=kept.try_after) == 1
    assert credits_of(alice()) == 50


def test_waits_grow_and_end(client, monkeypatch):
    with broken(monkeypatch, RuntimeError("always")):
        send(client, success_event(make_payment()))
        kept, waits = WebhookEvent.objects.get(), []
        while kept.try_after is not None:
            now = kept.try_after
            webhook.work_on_due_events(now=now)
            kept.refresh_from_db()
            waits.append((kept.try_after - now).total_seconds() if kept.try_after else None)
    assert waits[:5] == [30, 120, 600, 1800, 3600]
    assert waits[-1] is None
    assert len(waits) == webhook.MOST_ATTEMPTS - 1
    assert ReviewItem.objects.get().state == "open"


def test_an_event_that_was_kept_and_never_worked_on_is_found(client, monkeypatch):
    """As when the process died between the two transactions."""
    with monkeypatch.context() as patch:
        patch.setattr(webhook, "work_on", lambda **_: webhook.Answer(200))
        send(client, success_event(make_payment()))
    assert WebhookEvent.objects.get().state == State.RECEIVED
    assert credits_of(alice()) == 0
    webhook.work_on_due_events(now=timezone.now() + webhook.LEASE)
    assert credits_of(alice()) == 50


@pytest.mark.parametrize("error", [OperationalError("no connection"), DatabaseError("disk full")])
def test_only_what_can_not_be_kept_is_left_to_paystack(client, monkeypatch, error):
    def fail(*args):
        raise error

    monkeypatch.setattr(webhook, "_keep", fail)
    answer = send(client, success_event(make_payment()))
    assert answer.status_code == 503
    assert answer["Retry-After"] == "180"


def test_every_documented_shape_thrice_in_any_order(client):
    payments = [make_payment() for _number in range(5)]
    sent = [event for number, one in enumerate(payments, 1) for event in events.about(one, number)]
    sent = [json.dumps(event).encode() for event in sent + events.strangers()] * 3
    random.Random(5).shuffle(sent)
    answers = Counter(send(client, body).status_code for body in sent)
    assert set(answers) == {200, 400}
    assert credits_of(alice()) == 5 * 50
    assert LedgerEntry.objects.filter(kind="payment.settled").count() == 5
    assert set(Payment.objects.values_list("status", flat=True)) == {"succeeded"}
    assert set(WebhookEvent.objects.values_list("state", flat=True)) <= {"done", "ignored"}
    assert set(WebhookEvent.objects.values_list("delivery_count", flat=True)) == {3}
    assert_books_balance()


@pytest.fixture
def woken(monkeypatch) -> list[str]:
    """A crowd at the door; the tasks that workers were woken for."""
    tasks: list[str] = []
    monkeypatch.setattr(hooks, "crowd", hooks.Crowd(per_s=0, burst=0))
    monkeypatch.setattr(webhook, "wake", tasks.append)
    monkeypatch.setattr(webhook, "_woken_at", float("-inf"))
    return tasks


def test_in_a_crowd_it_is_kept_and_answered_and_a_worker_does_the_work(client, woken):
    paid = [success_event(make_payment()) for _number in range(3)]
    for event in [*paid, paid[0]]:
        assert send(client, event).json() == {"received": True}
    assert send(client, b"[]").status_code == 400
    assert send(client, success_event(make_payment(), metadata=0)).status_code == 400
    assert credits_of(alice()) == 0
    assert set(WebhookEvent.objects.values_list("state", flat=True)) == {State.RECEIVED}
    assert woken == ["payments.tasks.work_on_events"]  # not once for each
    tasks.work_on_events()
    assert credits_of(alice()) == 4 * 50
    assert Counter(WebhookEvent.objects.values_list("state", flat=True)) == {"done": 4, "bad": 1}
    assert ReviewItem.objects.get().kind == "bad_event"
    assert send(client, paid[1]).json() == {"received": True}
    assert_books_balance()


def test_what_had_failed_and_comes_again_in_a_crowd_is_due_at_once(client, monkeypatch):
    event = success_event(make_payment())
    with broken(monkeypatch, RuntimeError("a bug")):
        send(client, event)
    monkeypatch.setattr(hooks, "crowd", hooks.Crowd(per_s=0, burst=0))
    monkeypatch.setattr(webhook, "wake", lambda task: None)
    assert send(client, event).json() == {"flagged": True}  # as the first time
    assert credits_of(alice()) == 0
    assert webhook.work_on_due_events(now=timezone.now()) == 1
    assert credits_of(alice()) == 50


def test_one_event_that_fails_holds_up_none_behind_it(client, woken, monkeypatch):
    """In the same run of the worker, and without its being tried over and over."""
    first, second = make_payment(), make_payment()
    for payment in (first, second):
        send(client, success_event(payment))
    settle, tried = webhook.settle_payment, []

    def fail_for_the_first(*, payment, **rest):
        tried.append(payment)
        if payment == first:
            raise RuntimeError("a bug")
        return settle(payment=payment, **rest)

    monkeypatch.setattr(webhook, "settle_payment", fail_for_the_first)
    tasks.work_on_events()
    assert credits_of(alice()) == 50
    assert tried == [first, second]


def test_what_concerns_nothing_here_costs_one_statement(client, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert send(client, {"event": "subscription.create", "data": {"reference": "x"}}).status_code == 200
    event = WebhookEvent.objects.get()
    assert (event.state, event.event, event.reference) == (State.IGNORED, "subscription.create", "x")
    assert event.done_at is not None


@pytest.mark.parametrize(("threshold", "prepared"), [(0, 1), (None, 0)])
def test_the_statement_is_prepared_only_where_connections_are_kept(client, monkeypatch, threshold, prepared):
    """None is what Django has where somebody else may keep them: PgBouncer."""
    monkeypatch.setattr(connection.connection, "prepare_threshold", threshold)
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
        for _time in range(2):
            assert send(client, {"event": "a"}).status_code == 200
        cursor.execute("SELECT count(*) FROM pg_prepared_statements")
        assert cursor.fetchone() == (prepared,)
    assert WebhookEvent.objects.get().delivery_count == 2


def test_a_crowd_gathers_and_goes():
    crowd = hooks.Crowd(per_s=10, burst=3)
    assert [crowd.grows(0) for _one in range(5)] == [False] * 3 + [True] * 2
    assert [crowd.grows(0) for _one in range(100)] == [True] * 100
    assert crowd.grows(0.2)  # it counted to seven at most: two have gone, one came
    assert crowd.grows(0.5)
    assert not crowd.grows(1)


@pytest.mark.parametrize("address", ["/webhooks/paystack/", "/api/payments/webhook/"])
def test_paystack_is_not_limited_as_a_visitor_and_has_no_session(client, settings, address):
    settings.API_LIMIT_ADDRESS = 1
    for number in range(3):
        answer = send(client, {"event": "x", "data": number}, address=address)
        assert (answer.status_code, answer.cookies) == (200, {})
        assert answer["Cache-Control"] == "no-store"
        assert "Content-Security-Policy" in answer


def test_reviews_are_not_written_in_the_language_of_the_last_visitor(client):
    with translation.override("de"):
        send(client, b"[]")
        assert translation.get_language() == "de"
    assert "object" in ReviewItem.objects.get().reason


def test_the_body_of_a_kept_event_can_not_be_changed(client):
    send(client, {"event": "a"})
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE payments_webhookevent SET body = '{}'")
