"""What a member has spent, and what the watch sees of payments."""

import pytest
from django.utils import timezone

from payments.services.figures import buying_figures, total_spent
from tests.factories import alice, bob
from tests.payments.shop import make_package, make_payment, paid, send, settle, success_event


@pytest.mark.django_db
def test_what_was_spent_comes_out_of_the_ledger():
    paid()
    settle(make_payment(package=make_package(currency="CAD", price=700)))
    make_payment()
    paid(buyer=bob())
    assert total_spent(alice()) == {"CAD": 700, "KES": 40_000}


@pytest.mark.django_db
def test_the_watch_sees_payments_events_repeats_refusals_and_reviews(client):
    first, second = make_payment(), make_payment()
    for _time in range(3):
        send(client, success_event(first, id=1))
    send(client, success_event(second, amount=5))
    send(client, b"nonsense")
    send(client, b"{}", **{"x-paystack-signature": "x"})
    figures = buying_figures(now=timezone.now())
    assert figures.payments == {"succeeded": 1, "created": 1}
    assert figures.events == {"done": 2, "bad": 1}
    assert (figures.duplicates, figures.refused, figures.reviews_open) == (2, 1, 2)
    assert figures.success_rate == pytest.approx(2 / 3)
    assert figures.oldest_review_at is not None


@pytest.mark.django_db
def test_with_nothing_bought_there_is_nothing_to_see():
    figures = buying_figures(now=timezone.now())
    assert (figures.payments, figures.success_rate, figures.oldest_review_at) == ({}, None, None)
