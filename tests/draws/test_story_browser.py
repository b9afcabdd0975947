"""The story of a prize, lived through on a phone: entering, winning, claiming, declining, and who comes next.

Everything runs as it does for people: web, worker and beat are processes of their own, and nothing is done for the
one who plays but what an organiser does, which is to let entries close.
"""

import datetime as dt
import re
from collections.abc import Iterator

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from accounts.models import User
from draws import services
from draws.models import Award, Draw, PrizeAddress, Voucher
from draws.services import DrawChanges, NewEntry
from tests.draws.factories import VOUCHER, make_draw
from tests.draws.proofs import assert_proof_holds, dispositions, holders
from tests.draws.test_claim import BICYCLE
from tests.factories import admin, bob
from tests.live import LiveSite

PHONE = {"width": 360, "height": 740}
PASSWORD = "a long enough phrase"
ZOE = "zoe@example.com"
BREAKFAST = ("Breakfast in bed", "voucher", 0, 1)
MOST_OF_ALL = 2**44
ONE_MAIL = re.compile(r"/dev/mailbox/[^/?]+/$")
TELL_WHAT_STICKS_OUT = """addEventListener("load", () => {
    const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    if (wide > 0) console.error(`${location.href} sticks out by ${wide} px`);
});"""
SOON = 120_000
"""Milliseconds that the site has for what it does by itself; half a minute of it are between freeze and draw."""


@pytest.fixture
def site(live_site: LiveSite) -> LiveSite:
    """A site that does by itself what is due."""
    live_site.manage("sync_schedule")
    live_site.start_worker()
    live_site.start_beat()
    return live_site


@pytest.fixture
def phones(browser: Browser, site: LiveSite) -> Iterator["Phones"]:
    """As many phones as there are people in a story."""
    phones = Phones(browser, site)
    yield phones
    phones.put_away()


class Phones:
    """Browsers of the width of a phone, each with a profile of its own; `errors` is what went wrong in any."""

    def __init__(self, browser: Browser, site: LiveSite) -> None:
        self.browser, self.site = browser, site
        self.errors: list[str] = []
        self.contexts = []

    def take(self) -> Page:
        """Another one."""
        context = self.browser.new_context(
            base_url=self.site.url, locale="en-GB", reduced_motion="reduce", viewport=PHONE
        )
        self.contexts.append(context)
        context.add_init_script(TELL_WHAT_STICKS_OUT)
        page = context.new_page()
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        return page

    def put_away(self) -> None:
        """Close them all."""
        for context in self.contexts:
            context.close()


def newest_mail(page: Page, address: str, pattern: str) -> str:
    """The first match of `pattern` in the newest mail to the address, as soon as the site has sent it."""
    link = page.locator("main a[href^='/dev/mailbox/']").first

    def is_there() -> None:
        page.goto(f"/dev/mailbox/?to={address}")
        expect(link).to_be_visible(timeout=1_000)

    deadline = timezone.now() + dt.timedelta(milliseconds=SOON)
    while True:
        try:
            is_there()
            break
        except AssertionError:
            assert timezone.now() < deadline, f"no mail to {address}"
    link.click()
    expect(page).to_have_url(ONE_MAIL)
    found = re.search(pattern, page.locator("main").inner_text())
    assert found
    return found[0]


def join(page: Page, address: str, name: str) -> None:
    """Sign up as a new person would, with the mail that confirms it."""
    page.goto("/accounts/signup/")
    page.get_by_label("Email").fill(address)
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main").get_by_role("button", name="Join").click()
    expect(page).to_have_url(re.compile("confirm-email"))
    page.goto(newest_mail(page, address, r"https?://\S+/accounts/confirm-email/\S+"))
    page.get_by_role("button", name="Yes, confirm").click()
    expect(page).not_to_have_url(re.compile("confirm-email"))


def sign_in(page: Page, member: User) -> None:
    member.set_password(PASSWORD)
    member.save(update_fields=["password"])
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(member.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main").get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/dashboard/$"))


def enter(page: Page, draw: Draw) -> None:
    """Press the button, and find the receipt."""
    page.goto(f"/draws/{draw.slug}/")
    page.locator("main").get_by_role("button", name="Enter").click()
    expect(page.get_by_text("You are in. Here is your receipt")).to_be_visible()
    entry = services.entry_of(draw=draw, member=User.objects.get(email=ZOE))
    assert entry is not None
    expect(page.get_by_text(entry.pid_hex).first).to_be_visible()


def let_entries_close(draw: Draw) -> None:
    """What an organiser does who can't wait: entries close in a moment, and half a minute later it is drawn."""
    closes_at = timezone.now() + dt.timedelta(seconds=2)
    changes = DrawChanges(closes_at=closes_at, draw_at=closes_at + dt.timedelta(seconds=31))
    services.change_draw(draw=draw, changes=changes, by=admin(), reason="Zoe waits.", now=timezone.now())


def open_letter(page: Page, subject: str) -> None:
    """Find a message in the inbox as soon as it is there, and open it."""
    deadline = timezone.now() + dt.timedelta(milliseconds=SOON)
    while True:
        page.goto("/inbox/")
        letter = page.locator("main").get_by_role("link", name=re.compile(re.escape(subject)))
        if letter.count():
            break
        assert timezone.now() < deadline, f"no message “{subject}”"
        page.wait_for_timeout(250)
    letter.first.click()
    expect(page.locator("main").get_by_text(subject).first).to_be_visible()


def open_prize(page: Page, title: str) -> None:
    """From the message about it to the prize's page."""
    open_letter(page, f"You won: {title}")
    page.locator("main a[href*='/prizes/']").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(title)


def test_somebody_new_enters_wins_claims_and_declines_and_the_next_in_line_is_told(
    phones: Phones, site: LiveSite
):
    drink = make_draw(prizes=[VOUCHER], min_wait_s=30)
    parcel = make_draw(prizes=[BICYCLE], min_wait_s=30)
    breakfast = make_draw(prizes=[BREAKFAST], min_wait_s=30)
    zoe, next_in_line = phones.take(), phones.take()
    join(zoe, ZOE, "Zoe Z.")
    # Zoe can't but win where nobody else is; here she holds all tickets but one, and that is Bob's.
    tickets = [NewEntry(ZOE, MOST_OF_ALL), NewEntry(bob().email, 1)]
    services.add_entries(draw=breakfast, entries=tickets, now=timezone.now())

    for draw in (drink, parcel):
        enter(zoe, draw)
    zoe.goto(f"/draws/{breakfast.slug}/")
    zoe.get_by_role("link", name="My receipt").click()
    expect(zoe.get_by_text("17,592,186,044,416").first).to_be_visible()
    for draw in (drink, parcel, breakfast):
        let_entries_close(draw)

    # She looks at the draw's page and presses nothing.
    zoe.goto(f"/draws/{breakfast.slug}/")
    winners = zoe.get_by_role("link", name="Results and proof")
    expect(winners).to_be_visible(timeout=SOON)
    expect(zoe.get_by_text("That is you!").first).to_be_visible(
        timeout=SOON
    )  # in its turn, on the page that stood open
    winners.click()
    expect(zoe.get_by_text("That is you!")).to_be_visible()

    open_prize(zoe, "Dinner for two")
    assert not Voucher.objects.exists()
    zoe.get_by_role("button", name="Claim my voucher").click()
    expect(zoe.locator(".prize-voucher__code")).to_have_text(Voucher.objects.get().spelled)

    open_prize(zoe, "Bicycle")
    zoe.get_by_label("Name on the parcel").fill("Zoe Z.")
    zoe.get_by_label("Street and number").fill("1 Example Street")
    zoe.get_by_label("Town or city").fill("Nairobi")
    zoe.get_by_label("Country", exact=True).select_option("KE")
    zoe.get_by_label("Phone").fill("+254 711 000 009")
    zoe.get_by_role("button", name="Claim and send it there").click()
    expect(zoe.get_by_text("We have your address and will send it.")).to_be_visible()
    assert PrizeAddress.objects.get().street == "1 Example Street"

    open_prize(zoe, "Breakfast in bed")
    zoe.get_by_role("link", name="I do not want this prize").click()
    zoe.get_by_role("button", name="Yes, decline it").click()
    expect(zoe.get_by_text("You declined this prize")).to_be_visible()
    assert holders(breakfast) == {0: 1}

    sign_in(next_in_line, bob())
    open_prize(next_in_line, "Breakfast in bed")
    next_in_line.get_by_role("button", name="Claim my voucher").click()
    code = Voucher.objects.get(award__member=bob()).spelled
    expect(next_in_line.locator(".prize-voucher__code")).to_have_text(code)
    next_in_line.goto(f"/draws/{breakfast.slug}/results/")
    expect(next_in_line.get_by_text("That is you!")).to_be_visible()

    assert [state for _rank, state, _reason in dispositions(breakfast)] == ["declined", "promoted"]
    assert not Award.objects.filter(state=Award.State.CLAIMABLE).exists()
    for draw in (drink, parcel, breakfast):
        assert_proof_holds(draw)
    assert phones.errors == []
