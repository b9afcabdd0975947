"""Prizes in a real browser at the width of a phone: from the mail's link to what was won."""

import re

import pytest
from playwright.sync_api import Page, expect

from draws.models import Award, PrizeAddress, Voucher
from tests.draws.factories import CASH, VOUCHER, balance, make_executed
from tests.draws.proofs import assert_proof_holds, holders
from tests.draws.test_claim import BICYCLE
from tests.factories import alice
from tests.live import LiveSite

PHONE = {"width": 360, "height": 780}
SCREENS = [(360, "light"), (360, "dark"), (1440, "light"), (1440, "dark")]
PASSWORD = "a long enough phrase"
ONE_MAIL = re.compile(r"/dev/mailbox/[^/?]+/$")


@pytest.fixture
def errors(page: Page, page_errors: list[str]) -> list[str]:
    page.set_viewport_size(PHONE)
    return page_errors


def open_mail_of(page: Page, award: Award, subject: str) -> None:
    """Find the newest mail to the award's address in the mailbox, and open the link in it."""
    page.goto(f"/dev/mailbox/?to={award.identity}")
    page.get_by_role("link", name=subject).first.click()
    expect(page).to_have_url(ONE_MAIL)  # else the list that was left may still be what is read
    text = page.locator("main").inner_text()
    link = re.search(r"https?://\S+/prizes/claim/[\w-]+/", text)
    assert link, text
    page.goto(link[0])


def fits(page: Page) -> None:
    """Nothing sticks out sideways, on any screen, in light or dark."""
    for width, scheme in SCREENS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        too_wide = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert too_wide <= 0, f"{page.url} sticks out by {too_wide} px at {width} px"
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="light", reduced_motion="reduce")


def test_people_without_an_account_claim_and_decline_by_the_links_in_their_mail(
    live_site: LiveSite, page: Page, errors: list[str]
):
    second = ("Tickets to the match", "voucher", 0, 1)
    draw = make_executed(entrants=6, prizes=[VOUCHER, BICYCLE, second])
    voucher, thing, declined = (
        winner.award for winner in draw.winners.order_by("slot").select_related("award")
    )
    live_site.manage("process_notifications")

    open_mail_of(page, voucher, "You won: Dinner for two")
    fits(page)
    assert not Voucher.objects.exists()
    page.get_by_role("button", name="Claim my voucher").click()
    code = Voucher.objects.get().spelled
    expect(page.locator(".prize-voucher__code")).to_have_text(code)
    fits(page)
    page.reload()
    expect(page.locator(".prize-voucher__code")).to_have_text(code)

    open_mail_of(page, thing, "You won: Bicycle")
    page.get_by_label("Name on the parcel").fill("Zoe Zuberi")
    page.get_by_label("Street and number").fill("12 Moi Avenue")
    page.get_by_label("Town or city").fill("Nairobi")
    page.get_by_label("Country", exact=True).select_option("KE")
    page.get_by_label("Phone").fill("0711 000 009")
    page.get_by_role("button", name="Claim and send it there").click()
    expect(page.get_by_text("Write the phone number with its country's code")).to_be_visible()
    expect(page.get_by_label("Street and number")).to_have_value("12 Moi Avenue")
    expect(page.get_by_label("Country", exact=True)).to_have_value("KE")
    fits(page)
    page.get_by_label("Phone").fill("+254 711 000 009")
    page.get_by_role("button", name="Claim and send it there").click()
    expect(page.get_by_text("We have your address and will send it.")).to_be_visible()
    assert PrizeAddress.objects.get().phone == "+254711000009"

    open_mail_of(page, declined, "You won: Tickets to the match")
    page.get_by_role("link", name="I do not want this prize").click()
    fits(page)
    page.get_by_role("button", name="Yes, decline it").click()
    expect(page.get_by_text("You declined this prize")).to_be_visible()
    assert holders(draw) == {0: 0, 1: 1, 2: 3}
    live_site.manage("process_notifications")
    following = draw.winners.get(rank=3).award
    open_mail_of(page, following, "You won: Tickets to the match")
    expect(page.get_by_role("button", name="Claim my voucher")).to_be_visible()
    assert_proof_holds(draw)
    assert errors == []


def test_money_is_had_by_signing_up_with_the_address_that_won(
    live_site: LiveSite, page: Page, errors: list[str]
):
    draw = make_executed(entrants=4, prizes=[CASH])
    award = Award.objects.get(about=draw.about)
    live_site.manage("process_notifications")
    open_mail_of(page, award, "You won: Main prize")
    fits(page)
    page.get_by_role("link", name="Sign up and claim").click()
    expect(page.get_by_label("Email")).to_have_value(award.identity)
    page.get_by_label("Your name").fill("Guest Zero")
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main").get_by_role("button", name="Join").click()
    expect(page).to_have_url(re.compile("confirm-email"))
    page.goto(f"/dev/mailbox/?to={award.identity}")
    page.locator("main a[href^='/dev/mailbox/']").first.click()
    expect(page).to_have_url(ONE_MAIL)
    confirm = re.search(r"https?://\S+/accounts/confirm-email/\S+", page.locator("main").inner_text())
    page.goto(confirm[0])
    page.get_by_role("button", name="Yes, confirm").click()
    page.goto("/prizes/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Prizes")
    fits(page)
    page.get_by_role("link", name=re.compile("Claim.*Main prize")).click()
    page.get_by_role("button", name="Claim into my wallet").click()
    expect(page.get_by_text("It has been in your wallet since")).to_be_visible()
    award.refresh_from_db()
    assert balance(f"member:{award.member_id}:KES") == 100_000
    assert_proof_holds(draw)
    assert errors == []


def test_a_member_s_prizes_fit_every_screen(live_site: LiveSite, page: Page, errors: list[str]):
    member = alice()
    member.set_password(PASSWORD)
    member.save(update_fields=["password"])
    for prize in (VOUCHER, BICYCLE, CASH):
        make_executed(entrants=0, members=[member], prizes=[prize])
    page.goto("/accounts/login/?next=/prizes/")
    page.get_by_label("Email").fill(member.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Prizes")
    fits(page)
    for award in member.awards.all():
        page.goto(f"/prizes/{award.public_id}/")
        fits(page)
    assert errors == []
