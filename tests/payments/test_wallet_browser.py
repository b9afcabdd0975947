"""The wallet in a real browser: by hand, on a phone and a desk, by day and by night."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.factories import make_user
from tests.payments.books import give, move, wallet

PASSWORD = "a-Long-passw0rd"


@pytest.mark.usefixtures("live_site")
def test_a_member_goes_from_the_wallet_to_a_receipt(page: Page, page_errors: list[str]) -> None:
    asha = make_user(email="asha@example.com", password=PASSWORD, display_name="Asha Kamau")
    give(asha, 40, "CREDIT", kind="prize.claimed")
    for number in range(30):
        give(asha, 100_000 + number * 100, kind="prize.paid")
    spent = move(wallet(asha), wallet(make_user()), 5_000)

    page.goto("/accounts/login/")
    page.fill("input[name=login]", asha.email)
    page.fill("input[name=password]", PASSWORD)
    page.click("main form button[type=submit]")
    page.wait_for_url("**/dashboard/")

    page.set_viewport_size({"width": 360, "height": 800})
    page.goto("/wallet/")
    page.get_by_role("link", name="KES").first.click()
    expect(page.get_by_role("heading", name="Statement: KES")).to_be_visible()
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_text("KES 1,000.00").first).to_be_visible()
    page.get_by_role("link", name="Newer").click()

    page.get_by_text("Choose unit, days and kind").click()
    page.fill("input[name=first]", "2030-01-01")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("Nothing that you chose has moved.")).to_be_visible()
    page.get_by_role("link", name="Show everything").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    assert len(download.value.path().read_text(encoding="utf-8-sig").splitlines()) == 32

    page.get_by_role("link", name="the receipt").first.click()
    expect(page.get_by_role("button", name="Print")).to_be_visible()
    expect(page.get_by_text(str(spent.public_id))).to_be_visible()

    for path in ("/wallet/", f"/wallet/receipts/{spent.public_id}/"):
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            for width in (360, 1440):
                page.set_viewport_size({"width": width, "height": 900})
                page.goto(path)
                assert _width(page) <= width
    assert page_errors == []


def _width(page: Page) -> Any:
    return page.evaluate("document.documentElement.scrollWidth")
