"""Payments in the admin: states as words, and what is not there."""

import datetime as dt

import pytest
from django.utils import timezone

from payments.services.refunding import refundable, request_refund
from tests.factories import alice, treasurer
from tests.payments.shop import dispute, kept_event, make_payment, paid, refund_of


@pytest.mark.django_db
def test_states_are_words_on_each_page(client):
    payment = paid()
    refund, case = refund_of(payment), dispute(paid())
    client.force_login(treasurer())
    pages = {
        f"payment/{payment.pk}": "Paid",
        f"refund/{refund.pk}": "Requested",
        f"dispute/{case.pk}": "Open",
        f"webhookevent/{kept_event().pk}": "Done",
        f"reviewitem/{case.payment.reviews.get().pk}": "Open",
    }
    for path, words in pages.items():
        page = client.get(f"/admin/payments/{path}/change/").content.decode()
        assert words in page, path
        assert "(&#x27;" not in page, path


@pytest.mark.django_db
def test_a_payment_with_nothing_unused_offers_no_refund(client):
    payment = paid(buyer=alice())
    unused, _worth = refundable(payment)
    request_refund(
        payment=payment,
        credits=unused,
        by=treasurer(),
        reason="Not needed",
        idem_key="all",
        now=timezone.now(),
    )
    client.force_login(treasurer())
    page = client.get(f"/admin/payments/payment/{payment.pk}/refund/", follow=True)
    assert page.redirect_chain == [(f"/admin/payments/payment/{payment.pk}/change/", 302)]
    assert "nothing can be sent back" in page.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "found"),
    [
        # Half past one on the second, in Nairobi, where the treasurer is.
        ("created_at_from_0=2026-11-02&created_at_from_1=00:00:00", 1),
        ("created_at_to_0=2026-11-01&created_at_to_1=23:59:59", 0),
        ("created_at_from_0=2026-11-02&created_at_from_1=01:30:01", 0),
        ("created_at_from_0=yesterday&created_at_from_1=00:00:00", 1),
        ("created_at_from_0=2026-11-03", 1),
    ],
)
def test_lists_are_filtered_by_the_clock_of_the_reader(client, query, found):
    make_payment(now=dt.datetime(2026, 11, 1, 22, 30, tzinfo=dt.UTC))
    client.force_login(treasurer())
    answer = client.get(f"/admin/payments/payment/?{query}")
    assert answer.context["cl"].result_count == found
