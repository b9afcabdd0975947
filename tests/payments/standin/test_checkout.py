"""The checkout page of the stand-in without a browser: what is refused, where it leads, what it allows."""

import pytest
from django.test import Client

from payments.standin.models import OutgoingWebhook, Transaction

pytestmark = pytest.mark.django_db


def page_of(row):
    return f"/standin/paystack/checkout/{row.access_code}/"


@pytest.mark.parametrize(
    "sent", [{}, {"action": "steal"}, {"action": "later", "seconds": "5"}, {"action": "later"}]
)
def test_what_is_no_button_of_the_page_does_nothing(ask, client, sent):
    row = ask.begin()
    assert client.post(page_of(row), sent).status_code == 400
    row.refresh_from_db()
    assert (row.status, row.pay_at) == ("abandoned", None)


def test_a_page_that_nobody_was_given_is_not_there(client):
    assert client.get("/standin/paystack/checkout/0123456789abcdef0123/").status_code == 404


def test_another_site_can_not_press_its_buttons(ask):
    row = ask.begin()
    answer = Client(enforce_csrf_checks=True).post(page_of(row), {"action": "pay"})
    assert answer.status_code == 403
    assert not OutgoingWebhook.objects.exists()


def test_it_leads_back_with_both_names_of_the_reference_and_keeps_what_was_there(ask, client):
    row = ask.begin(callback_url="https://shop.example/back?a=1&b=#done")
    answer = client.post(page_of(row), {"action": "leave"})
    assert answer["Location"] == "https://shop.example/back?a=1&b=&trxref=fg-1&reference=fg-1#done"
    assert answer["Content-Security-Policy"].endswith("form-action 'self' https://shop.example")


def test_its_page_may_load_nothing_from_elsewhere_and_nobody_frames_it(ask, client):
    policy = client.get(page_of(ask.begin(callback_url=""))).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert policy.endswith("form-action 'self'")


def test_who_has_nowhere_to_go_back_to_sees_what_became_of_it(ask, client):
    row = ask.begin(callback_url="")
    answer = client.post(page_of(row), {"action": "pay"})
    assert answer.status_code == 200
    assert b"This is paid." in answer.content
    assert Transaction.objects.get().status == "success"


@pytest.mark.parametrize(
    ("amount", "shown"), [(1, "0.01"), (40_000, "400.00"), (123_456_789, "1,234,567.89")]
)
def test_amounts_are_shown_to_the_hundredth(ask, client, amount, shown):
    assert f"Pay KES {shown}</button>" in client.get(page_of(ask.begin(amount=amount))).content.decode()
