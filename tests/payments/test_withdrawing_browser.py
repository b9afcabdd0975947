"""A withdrawal in a real browser, through the stand-in of Paystack: asked for on a phone, agreed to by two, paid."""

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import expect

from payments.models import Withdrawal
from payments.standin.models import Transfer
from tests.factories import alice
from tests.live import wait_until
from tests.payments.books import give
from tests.payments.shop import assert_books_balance, balance, withdrawal_of
from tests.world import client_of

SOON_S = 60


@pytest.fixture
def page_of(live_site, browser):
    """Pages of people who are signed in."""
    contexts = []

    def open_page(who, width=360):
        context = browser.new_context(
            base_url=live_site.url,
            locale="en-GB",
            reduced_motion="reduce",
            viewport={"width": width, "height": 740},
        )
        contexts.append(context)
        session = client_of(who).cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_site.url}])
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()


def test_asked_for_on_a_phone_agreed_to_by_two_and_paid(live_site, page_of):
    give(alice(), 30_000_000)
    phone = page_of("alice")
    phone.goto("/wallet/")
    phone.get_by_role("link", name="Withdraw").click()
    phone.get_by_label("Amount").fill("300,000.01")
    phone.get_by_label("Bank or mobile money").select_option(label="M-PESA")
    phone.get_by_label("Account or phone number").fill("0711 000 001")
    phone.get_by_label("Name on the account").fill("Alice Wanjiru")
    phone.get_by_role("button", name="Ask to be paid out").click()
    expect(phone.get_by_text("that is less than KES 300,000.01")).to_be_visible()
    expect(phone.get_by_label("Name on the account")).to_have_value("Alice Wanjiru")
    phone.get_by_label("Amount").fill("250,000")
    phone.get_by_role("button", name="Ask to be paid out").click()
    expect(phone.get_by_text("Asked for. You are told as soon as it is paid.")).to_be_visible()
    expect(phone.get_by_role("cell", name="Requested")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    withdrawal = Withdrawal.objects.get()

    finance = page_of("finance", 1440)
    finance.goto(f"/admin/payments/withdrawal/{withdrawal.pk}/change/")
    finance.locator("a[href$='/approve/']").first.click()
    finance.get_by_label("What you looked at").fill("Her passport")
    finance.get_by_role("button", name="Approve").click()
    expect(finance.get_by_text("This is above your limit: a second person has to agree.")).to_be_visible()

    second = page_of("super", 360)
    second.goto(finance.url)
    second.locator("a[href$='/approve/']").first.click()
    second.get_by_role("button", name="Approve").or_(second.get_by_role("button", name="Agree")).first.click()
    wait_until(
        lambda: Withdrawal.objects.get().state == "approved", "the second person", SOON_S, live_site.web
    )

    live_site.manage("standin", "behave", "transfer", "error_after=1")
    live_site.manage("process_payments")
    Withdrawal.objects.update(try_after=timezone.now())
    live_site.manage("process_payments")
    assert Withdrawal.objects.get().state == "sent"
    assert Transfer.objects.get().reference == withdrawal.reference
    Transfer.objects.update(step_at=timezone.now())
    live_site.manage("standin", "sweep")
    wait_until(lambda: Withdrawal.objects.get().state == "paid", "the transfer", SOON_S, live_site.web)
    phone.reload()
    expect(phone.get_by_role("cell", name="Paid", exact=True)).to_be_visible()
    assert balance("paystack:KES") == 25_000_000
    assert_books_balance()


def test_taken_back_on_a_phone_and_rejected_with_a_reason(live_site, page_of):
    withdrawal_of(alice(), holds=100_000)
    phone = page_of("alice")
    phone.goto("/wallet/withdraw/")
    phone.get_by_role("button", name="Cancel").click()
    expect(phone.get_by_text("Taken back: the money is in your wallet.")).to_be_visible()
    expect(phone.get_by_text("Cancelled, given back")).to_be_visible()

    withdrawal = withdrawal_of(alice(), holds=0)
    finance = page_of("finance", 1440)
    finance.goto(f"/admin/payments/withdrawal/{withdrawal.pk}/change/")
    finance.locator("a[href$='/reject/']").first.click()
    finance.get_by_label("Why not").fill("The name is not yours")
    finance.get_by_role("button", name="Reject").click()
    expect(finance.get_by_text("Rejected: the money is back in the wallet")).to_be_visible()
    phone.reload()
    expect(phone.get_by_text("The name is not yours")).to_be_visible()
    phone.screenshot(path="/tmp/w_phone.png", full_page=True)
    assert_books_balance()


def test_where_a_transfer_fails_the_money_is_back(live_site, page_of):
    withdrawal = withdrawal_of(alice())
    finance = page_of("finance", 1440)
    finance.goto(f"/admin/payments/withdrawal/{withdrawal.pk}/change/")
    finance.locator("a[href$='/approve/']").first.click()
    finance.get_by_label("What you looked at").fill("Her passport")
    finance.get_by_role("button", name="Approve").click()
    expect(finance.get_by_text("Approved: Paystack is being asked to pay it.")).to_be_visible()
    live_site.manage("standin", "behave", "transfer", "reverse=1")
    live_site.manage("process_payments")
    Transfer.objects.update(step_at=timezone.now())
    live_site.manage("standin", "sweep")
    wait_until(lambda: Withdrawal.objects.get().state == "failed", "the transfer", SOON_S, live_site.web)
    assert balance(f"member:{alice().pk}:KES") == 50_000
    assert_books_balance()
