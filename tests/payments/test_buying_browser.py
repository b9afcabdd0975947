"""Buying in a real browser on a phone, through the stand-in of Paystack: paid, refused, left, and paid late."""

import re

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Page, expect

from audit.models import Record
from payments.models import Payment, Refund, ReviewItem
from payments.standin.models import Refund as StandinRefund
from payments.standin.models import Transaction
from payments.standin.services import begin as begin_there
from tests.factories import alice
from tests.live import wait_until
from tests.payments.shop import assert_books_balance, credits_of, make_package, make_payment, settle
from tests.world import client_of

PHONE = {"width": 360, "height": 740}
SOON_S = 60


@pytest.fixture
def phone(live_site, browser, page_errors_of):
    """Alice's, signed in."""
    context = browser.new_context(
        base_url=live_site.url, locale="en-GB", reduced_motion="reduce", viewport=PHONE
    )
    session = client_of("alice").cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_site.url}])
    page = context.new_page()
    complaints = page_errors_of(page)
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def page_errors_of():
    """What a browser complains about on a page."""

    def listen(page: Page) -> list[str]:
        complaints: list[str] = []
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return complaints

    return listen


def to_paystack(page: Page) -> Payment:
    """From what is on offer to the page where one pays."""
    page.goto("/credits/")
    page.get_by_role("button", name=re.compile("Pay KES 400.00")).click()
    expect(page.get_by_text("No money moves")).to_be_visible()
    return Payment.objects.latest("pk")


def assert_fits(page: Page) -> None:
    over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert over == 0


def test_a_package_is_bought_and_the_credits_are_in_the_wallet(live_site, phone):
    make_package()
    payment = to_paystack(phone)
    assert (payment.status, payment.price) == ("initialized", 40_000)
    assert_fits(phone)
    phone.get_by_role("button", name="Pay KES 400.00").click()
    expect(phone).to_have_url(re.compile(rf"^[^?]*/payments/{payment.public_id}/$"))
    expect(phone.get_by_text("Paid. Thank you.")).to_be_visible()
    expect(phone.locator("main")).to_contain_text("50 credits")
    expect(phone.get_by_role("button", name="Print")).to_be_visible()
    assert_fits(phone)
    phone.get_by_role("link", name="To the wallet").click()
    expect(phone.get_by_role("rowheader", name="Credits bought")).to_be_visible()
    assert credits_of(alice()) == 50
    wait_until(lambda: payment.events.exists(), "the webhook", SOON_S, live_site.web)
    assert credits_of(alice()) == 50
    phone.goto("/payments/")
    expect(phone.get_by_role("link", name="Fifty credits")).to_be_visible()
    assert_fits(phone)
    assert_books_balance()


def test_a_payment_that_fails_says_why_and_can_be_tried_again(live_site, phone):
    make_package()
    to_paystack(phone)
    phone.get_by_role("button", name="Let it fail").click()
    expect(phone.get_by_text("It was not paid, and nothing was taken.")).to_be_visible()
    expect(phone.get_by_text("Paystack says")).to_be_visible()
    phone.get_by_role("link", name="Try again").click()
    expect(phone).to_have_url(re.compile(r"^[^?]*/credits/$"))
    assert credits_of(alice()) == 0


def test_one_who_leaves_is_told_and_may_go_on(live_site, phone):
    make_package()
    payment = to_paystack(phone)
    phone.get_by_role("button", name="Leave without paying").click()
    expect(phone.get_by_text("You left Paystack's page before paying.")).to_be_visible()
    payment.refresh_from_db()
    assert payment.status == "abandoned"
    assert credits_of(alice()) == 0


def test_what_is_paid_late_after_the_sweep_called_it_abandoned_is_credited(live_site, phone):
    make_package()
    payment = to_paystack(phone)
    phone.get_by_label("Paid after").select_option("90")
    phone.get_by_role("button", name="Pay late").click()
    expect(phone).to_have_url(re.compile(rf"^[^?]*/payments/{payment.public_id}/$"))
    Payment.objects.filter(pk=payment.pk).update(check_after=timezone.now())
    assert "1 payments asked about." in live_site.manage("process_payments")
    payment.refresh_from_db()
    assert payment.status == "abandoned"
    Transaction.objects.update(pay_at=timezone.now())
    live_site.manage("standin", "sweep")
    wait_until(lambda: credits_of(alice()) == 50, "the late payment", SOON_S, live_site.web)
    phone.reload()
    expect(phone.get_by_text("Paid. Thank you.")).to_be_visible()
    payment.refresh_from_db()
    assert payment.settled_by == "webhook"


def test_a_price_that_changed_meanwhile_is_shown_before_anything_is_paid(live_site, phone):
    package = make_package()
    phone.goto("/credits/")
    package.price = 45_000
    package.save()
    phone.get_by_role("button", name=re.compile("Pay KES 400.00")).click()
    expect(phone.get_by_role("alert")).to_contain_text("The price has changed since you saw it")
    expect(phone.get_by_role("button", name=re.compile("Pay KES 450.00"))).to_be_visible()
    assert not Payment.objects.exists()


def test_when_paystack_does_not_answer_nothing_is_lost(live_site, phone):
    make_package()
    live_site.manage("standin", "behave", "initialize", "error_after=1")
    phone.goto("/credits/")
    phone.get_by_role("button", name=re.compile("Pay KES 400.00")).click()
    expect(phone.get_by_role("alert")).to_contain_text("Nothing was taken")
    to_paystack(phone)
    phone.get_by_role("button", name="Pay KES 400.00").click()
    expect(phone.get_by_text("Paid. Thank you.")).to_be_visible()
    assert credits_of(alice()) == 50


def test_finance_takes_a_review_asks_paystack_and_refunds(live_site, browser):
    """Every step is in the trail, and the last cent is where it belongs."""
    settle(payment := make_payment(), amount=1)
    begin_there(
        asked={
            "email": payment.email,
            "amount": payment.price,
            "currency": payment.currency,
            "reference": payment.reference,
        },
        now=timezone.now(),
    )
    Transaction.objects.update(status="success", paid_at=timezone.now())
    context = browser.new_context(base_url=live_site.url, locale="en-GB", reduced_motion="reduce")
    finance = client_of("finance")
    session = finance.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_site.url}])
    page = context.new_page()

    page.goto("/admin/payments/reviewitem/")
    page.get_by_role("link", name="Amount doesn't cover the price").first.click()
    page.locator("a[href$='/take/']").first.click()
    expect(page.get_by_text("It is yours.")).to_be_visible()
    page.locator("a[href$='/note/']").first.click()
    page.get_by_role("textbox", name="Note").fill("The payer has sent a receipt for all of it.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Noted.")).to_be_visible()

    page.goto(f"/admin/payments/payment/{payment.pk}/change/")
    page.locator("a[href$='/reconcile/']").first.click()
    expect(page.get_by_text("It was paid: 50 credits are in the wallet now.")).to_be_visible()
    assert credits_of(alice()) == 50
    assert ReviewItem.objects.get().state == "resolved"

    page.locator(f"a[href$='/{payment.pk}/refund/']").first.click()
    page.get_by_label("Reason").fill("Bought by mistake")
    page.get_by_role("button", name="Refund").click()
    expect(page.get_by_text("The credits are set aside, and Paystack is being asked.")).to_be_visible()
    assert credits_of(alice()) == 0
    context.close()

    live_site.manage("process_payments")
    assert Refund.objects.get().state == "asked"
    for _step in range(3):  # pending, processing, processed
        StandinRefund.objects.update(step_at=timezone.now())
        live_site.manage("standin", "sweep")
    wait_until(lambda: Refund.objects.get().state == "processed", "the refund", SOON_S, live_site.web)
    payment.refresh_from_db()
    assert payment.status == "refunded"
    mine = Record.objects.filter(actor_id=int(finance.session["_auth_user_id"]))
    done = set(mine.values_list("action", flat=True))
    assert {"review.taken", "payment.reconciled", "payment.settled", "refund.requested"} <= done
    assert_books_balance()
