"""Money in figures in a real browser: on a phone and a wide screen, light and dark, by the rules of accessibility."""

import datetime as dt
import json

from django.utils import timezone
from playwright.sync_api import expect

from payments.models import WebhookRefusal
from payments.services import webhook
from tests.factories import alice, bob
from tests.payments.shop import (
    make_package,
    make_payment,
    paid,
    refund_of,
    settle,
    success_event,
    withdrawal_of,
)
from tests.test_pages_browser import SCREENS, examined, listen, signed_in, turn, what_sticks_out

URL = "/admin/payments/figures/"


def receive(event, *, times: int = 1) -> None:
    for _time in range(times):
        webhook.receive(body=json.dumps(event).encode(), now=timezone.now())


def a_busy_month() -> None:
    """Something in every part of the page, with words as long as they come."""
    now = timezone.now()
    kes = make_package()
    long = "Transaction not permitted to cardholder by the issuer_of_the_card_with_a_very_long_word_in_it"
    for reason in ("Insufficient funds", long):
        settle(make_payment(package=kes, now=now - dt.timedelta(days=3)), status="failed", message=reason)
    refund_of(paid(package=kes))
    paid(package=kes, buyer=bob())
    paid(package=make_package(currency="JPY", price=500_000_000))
    receive(success_event(make_payment(package=kes)), times=3)
    receive(success_event(make_payment(package=kes), amount=5))
    withdrawal_of(alice())
    WebhookRefusal.objects.create(hour=now, reason="signature", count=7)


def test_it_is_at_home_on_every_screen(live_site, browser):
    a_busy_month()
    wrong = []
    for size, scheme in SCREENS:
        context = signed_in(browser, live_site, "finance", viewport=size, color_scheme=scheme)
        page = context.new_page()
        complaints = listen(page)
        page.goto(URL)
        expect(page.locator("figure.plot")).to_have_count(7)
        for closed in page.locator(".plot__data summary").all():
            closed.click()
        wrong += examined(page, URL) + what_sticks_out(page, URL, scheme)
        turn(page, "light" if scheme == "dark" else "dark")
        wrong += examined(page, URL) + what_sticks_out(page, URL, "the other") + complaints
        context.close()
    assert not wrong, "\n".join(wrong)


def test_finance_goes_from_home_to_a_number_to_the_payments_behind_it_with_the_keyboard(live_site, browser):
    a_busy_month()
    page = signed_in(browser, live_site, "finance", viewport={"width": 1440, "height": 900}).new_page()
    page.goto("/admin/")
    page.locator(".fg-hello").get_by_role("link", name="Money in figures").press("Enter")
    page.wait_for_url(f"**{URL}")
    page.locator("#plot-lost summary").press("Enter")
    page.locator("#plot-lost th a").press("Enter")
    expect(page.locator("#result_list tbody tr")).to_have_count(2)
    page.go_back()
    page.get_by_role("link", name="Failed: Insufficient funds").press("Enter")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
