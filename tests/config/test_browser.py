"""The general pages in a real browser: wide and narrow, light and dark, by keyboard, and without JavaScript."""

import datetime as dt
import re

import pytest
from playwright.sync_api import Browser, Page, Request, Response, expect

from tests.config.test_home import drawn_draw, frozen_draw, open_draw, published
from tests.factories import alice, carol
from tests.live import LiveSite

PASSWORD = "a long enough phrase"
PUBLIC = [
    "/",
    "/draws/",
    "/draws/fairness/",
    "/draws/weekend-at-the-coast/",
    "/accounts/login/",
    "/accounts/signup/",
]
MEMBERS = [
    "/dashboard/",
    "/draws/weekend-at-the-coast/",
    "/draws/night-market/receipt/",
    "/draws/lantern-night/results/",
    "/prizes/",
    "/accounts/profile/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/2fa/",
]
SCREENS = [(360, "light"), (360, "dark"), (1440, "light"), (1440, "dark")]


@pytest.fixture
def site(live_site: LiveSite) -> LiveSite:
    """A site with draws in every phase, and Alice in each that takes entries no more."""
    open_draw("Weekend at the coast")
    published("Harvest fair", opens=dt.timedelta(days=1), closes=dt.timedelta(days=2))
    frozen_draw("Night market")
    drawn_draw("Lantern night")
    for person in (alice(), carol()):
        person.set_password(PASSWORD)
        person.save(update_fields=["password"])
    return live_site


@pytest.fixture
def complaints(page: Page, page_errors: list[str]) -> list[str]:
    """What the browser complains about: console, refused policy, answers above 399, requests without answer."""

    def failed(request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # one left the page before everything had come
            page_errors.append(f"no answer: {request.url}")

    def answered(response: Response) -> None:
        if response.status >= 400:
            page_errors.append(f"{response.status}: {response.url}")

    page.on("requestfailed", failed)
    page.on("response", answered)
    return page_errors


def sign_in(page: Page, name: str = "alice") -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(f"{name}@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main").get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/dashboard/$"))


def walk(page: Page, addresses: list[str]) -> None:
    """Open each page on each screen; nothing may stick out sideways, and words must not be cut off."""
    for width, scheme in SCREENS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for address in addresses:
            page.goto(address, wait_until="load")
            too_wide = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert too_wide <= 0, f"{address} sticks out by {too_wide} px at {width} px"
            dark = (
                page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
                == "rgb(18, 16, 43)"
            )
            assert dark == (scheme == "dark")


def test_pages_for_visitors_fit_every_screen_without_a_complaint(site, page, complaints):
    walk(page, PUBLIC)
    assert complaints == []


def test_pages_for_members_fit_every_screen_without_a_complaint(site, page, complaints):
    sign_in(page)
    walk(page, MEMBERS)
    assert complaints == []


def test_a_member_enters_a_draw_and_copies_the_receipt(site, page, complaints):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/draws/weekend-at-the-coast/")
    page.get_by_role("link", name="Sign in to enter").click()
    page.get_by_label("Email").fill("carol@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main").get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are in the drum")

    box = page.locator("[data-copy]").first
    box.get_by_role("button").click()
    expect(box.locator("[data-copy-label]")).to_have_text("Copied")
    pid = box.locator("[data-copy-value]").inner_text()
    assert re.fullmatch(r"[0-9a-f]{64}", pid)
    assert page.evaluate("navigator.clipboard.readText()") == pid
    assert complaints == []


def test_the_countdown_counts_in_steps_of_a_second_and_says_when_it_is_over(site, page):
    page.clock.install()
    page.goto("/draws/weekend-at-the-coast/")
    seconds = page.locator(".admit .countdown__figure").last
    before = int(seconds.inner_text())
    page.clock.run_for(3_000)
    assert (before - int(seconds.inner_text())) % 60 == 3
    page.evaluate(
        "document.addEventListener('countdown:over', (event) => { window.over = event.detail.event })"
    )
    page.clock.fast_forward(4 * 86_400_000)
    page.clock.run_for(2_000)
    assert page.evaluate("window.over") == "close"
    assert set(page.locator(".admit .countdown__figure").all_inner_texts()) == {"00"}


def test_the_sign_up_form_knows_the_zone_of_the_browser(site, browser: Browser):
    context = browser.new_context(base_url=site.url, timezone_id="Asia/Dhaka")
    page = context.new_page()
    page.goto("/accounts/signup/")
    expect(page.locator("input[name=time_zone]")).to_have_value("Asia/Dhaka")
    page.goto("/draws/weekend-at-the-coast/")
    opens = page.locator(".stepper__text").first  # a visitor reads the own clock, and the draw's beside it
    expect(opens).to_contain_text("your time")
    expect(opens).to_contain_text("Nairobi time")
    zone, here, there = page.evaluate(
        """() => {
          const at = Date.parse(document.querySelector(".stepper time").dateTime);
          const clock = (timeZone) => new Intl.DateTimeFormat("en-GB", {timeStyle: "short", timeZone}).format(at);
          const zone = document.querySelector("[data-zone]").dataset.zone;
          return [zone, clock("Asia/Dhaka"), clock(zone)];
        }"""
    )
    assert zone == "Africa/Nairobi"
    expect(opens.locator("time")).to_contain_text(here)
    expect(opens.locator("[data-zone]")).to_contain_text(there)
    context.close()


def test_the_keyboard_reaches_content_and_menu(site, page):
    sign_in(page)
    page.goto("/dashboard/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    assert skip.bounding_box()["width"] > 50
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"

    summary = page.locator(".account-menu > summary")
    summary.focus()
    page.keyboard.press("Enter")
    profile = page.locator(".account-menu").get_by_role("link", name="Profile")
    expect(profile).to_be_visible()
    page.keyboard.press("Escape")
    expect(profile).to_be_hidden()
    expect(summary).to_be_focused()


def test_a_form_that_asks_first_is_sent_only_after_yes(site, page):
    sign_in(page)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.evaluate("document.querySelector('.account-menu form').dataset.confirm = 'Leave the ground?'")
    menu, dialog = page.locator(".account-menu"), page.get_by_role("dialog")
    menu.locator("summary").click()
    menu.get_by_role("button", name="Sign out").click()
    expect(dialog).to_contain_text("Leave the ground?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    assert page.url.endswith("/dashboard/")

    menu.get_by_role("button", name="Sign out").click()
    dialog.get_by_role("button", name="Yes").click()
    expect(page).to_have_url(f"{site.url}/")
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()


def test_everything_but_what_is_live_works_without_javascript(site, browser: Browser):
    context = browser.new_context(
        base_url=site.url, java_script_enabled=False, viewport={"width": 360, "height": 800}
    )
    page = context.new_page()
    sign_in(page, "carol")
    page.locator("summary", has_text="Menu").click()
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Draws").click()
    page.get_by_role("link", name="Weekend at the coast").click()
    expect(page.locator(".admit time")).to_contain_text("20")  # the time itself stands where nothing counts
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are in the drum")
    page.locator("summary", has_text="Menu").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{site.url}/")
    context.close()
