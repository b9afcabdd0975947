"""The whole path by hand: a member buys credits at the stand-in, and gets them once, whatever happens on the way."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from payments.accounts import wallet_balances
from payments.checking import check_ledger
from payments.models import Payment, WebhookEvent
from payments.standin.models import OutgoingWebhook, Transaction
from tests.factories import alice
from tests.live import wait_until
from tests.payments.shop import make_package
from tests.test_pages_browser import signed_in


@pytest.fixture
def phone(live_site, browser):
    """Alice's, signed in."""
    make_package()
    context = signed_in(browser, live_site, "alice", viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto("/credits/")
    yield page
    context.close()


def go_and(page, button):
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_text("This page stands in for Paystack")).to_be_visible()
    page.get_by_role("button", name=button, exact=True).click()
    page.wait_for_url("**/payments/**")


def credits():
    return dict(wallet_balances(alice())).get("CREDIT", 0)


def is_heard(times=1):
    return OutgoingWebhook.objects.filter(heard_at__isnull=False).count() == times


@pytest.mark.parametrize(
    "behaviour", [(), ("webhook", "repeat=1:3"), ("webhook", "lose"), ("webhook", "forge")]
)
def test_who_pays_has_the_credits_once(live_site, phone, behaviour):
    if behaviour:
        live_site.manage("standin", "behave", *behaviour)
    go_and(phone, "Pay KES 400.00")
    expect(phone.get_by_role("heading", level=1)).to_be_visible()
    wait_until(lambda: credits() == 50, "the credits", 20)
    if not behaviour or behaviour[1].startswith("repeat"):
        wait_until(lambda: is_heard(4 if behaviour else 1), "the webhooks", 20)
        assert WebhookEvent.objects.get().delivery_count == (4 if behaviour else 1)
    elif behaviour[1] == "forge":
        wait_until(lambda: OutgoingWebhook.objects.get().last_answer == "status 401", "the refusal", 20)
    live_site.manage("standin", "sweep")
    assert credits() == 50
    assert Payment.objects.get().status == "succeeded"
    assert check_ledger() == []


@pytest.mark.parametrize(
    ("button", "status"), [("Let it fail", "failed"), ("Leave without paying", "abandoned")]
)
def test_who_does_not_pay_has_none(phone, button, status):
    go_and(phone, button)
    assert Payment.objects.get().status == status
    assert credits() == 0


def test_who_pays_late_has_them_afterwards(live_site, phone):
    go_and(phone, "Pay late")
    assert credits() == 0
    Transaction.objects.update(pay_at=timezone.now())
    live_site.manage("standin", "sweep")
    wait_until(lambda: credits() == 50, "the credits", 20)


@pytest.mark.parametrize("effect", ["underpay", "live"])
def test_what_was_not_paid_as_asked_is_for_review(live_site, phone, effect):
    live_site.manage("standin", "behave", "pay", effect)
    go_and(phone, "Pay KES 400.00")
    wait_until(is_heard, "the webhook", 20)
    assert credits() == 0
    assert Payment.objects.get().reviews.exists()


def test_fees_borne_by_who_pays_are_no_reason_to_refuse(live_site, phone):
    live_site.manage("standin", "behave", "pay", "overpay")
    go_and(phone, "Pay KES 400.00")
    wait_until(lambda: credits() == 50, "the credits", 20)


@pytest.mark.parametrize("effect", ["error", "error_after", "html", "refuse"])
def test_a_checkout_that_does_not_open_can_be_tried_again(live_site, phone, effect):
    live_site.manage("standin", "behave", "initialize", effect)
    phone.get_by_role("button", name="Pay").click()
    expect(phone.get_by_role("alert")).to_be_visible()
    go_and(phone, "Pay KES 400.00")
    wait_until(lambda: credits() == 50, "the credits", 20)
