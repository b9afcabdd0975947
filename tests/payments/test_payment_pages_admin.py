"""Payments in the admin: states as words, and what is not there."""

import pytest

from tests.factories import treasurer
from tests.payments.shop import dispute, kept_event, paid, refund_of


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
