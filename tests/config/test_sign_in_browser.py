"""Signing up and in as people do, in a real browser: by keyboard alone, with an app's code, and with a passkey."""

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from accounts.models import User
from tests.accounts.codes import code_of
from tests.config.test_home import open_draw
from tests.factories import make_user
from tests.live import LiveSite

PASSWORD = "correct horse battery"
MOST_TABS = 90
ACCOUNT = [
    "/accounts/profile/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/2fa/",
    "/accounts/2fa/recovery-codes/",
    "/accounts/2fa/recovery-codes/generate/",
    "/accounts/2fa/webauthn/add/",
    "/accounts/2fa/reauthenticate/",
    "/accounts/2fa/webauthn/reauthenticate/",
    "/accounts/sessions/",
    "/accounts/api-keys/",
]


@pytest.fixture
def page(browser: Browser, live_site: LiveSite):
    """A tab at `localhost`: passkeys don't work at an address that is a number."""
    context = browser.new_context(
        base_url=live_site.url.replace("127.0.0.1", "localhost"), locale="en-GB", reduced_motion="reduce"
    )
    yield context.new_page()
    context.close()


@pytest.fixture
def passkeys(page: Page) -> None:
    """The computer of `page` has a fingerprint reader, and the right finger on it."""
    wire = page.context.new_cdp_session(page)
    wire.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    wire.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def tab_to(target: Locator) -> None:
    """Press Tab until `target` has the focus, as somebody without a mouse does."""
    page = target.page
    expect(target).to_be_visible()
    for _ in range(MOST_TABS):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"{MOST_TABS} times Tab did not lead to {target}")


def press(target: Locator) -> None:
    """Reach it, and press Enter."""
    tab_to(target)
    target.page.keyboard.press("Enter")


def write(target: Locator, text: str) -> None:
    tab_to(target)
    target.page.keyboard.insert_text(text)


def main(page: Page) -> Locator:
    return page.locator("main")


def sign_in(page: Page, email: str) -> None:
    page.goto("/accounts/login/")
    write(page.get_by_label("Email"), email)
    write(page.get_by_label("Password"), PASSWORD)
    page.keyboard.press("Enter")


def type_code(page: Page, code: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("Show your second factor")
    expect(page.get_by_label("Code")).to_be_focused()
    page.keyboard.insert_text(code)
    page.keyboard.press("Enter")


def sign_out(page: Page) -> None:
    page.wait_for_load_state("networkidle")  # what was pressed before may still lead somewhere
    page.goto("/accounts/logout/")
    press(main(page).get_by_role("button", name="Sign out"))
    expect(page).to_have_url(re.compile(r":\d+/$"))


def test_by_keyboard_from_signing_up_to_signing_in_with_an_app(live_site, page, page_errors):
    open_draw("Weekend at the coast")
    page.goto("/accounts/signup/")
    write(page.get_by_label("Your name"), "Grace Hopper")
    write(page.get_by_label("Email"), "grace@example.com")
    write(page.get_by_label("Password", exact=True), PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your mail")

    page.goto("/dev/mailbox/")
    press(page.get_by_role("row").nth(1).get_by_role("link"))
    press(page.locator(".mail__text a[href*='/confirm-email/']"))
    press(page.get_by_role("button", name="Yes, confirm"))
    expect(page).not_to_have_url(re.compile("confirm-email/."))

    if "/dashboard/" not in page.url:
        sign_in(page, "grace@example.com")
    expect(page).to_have_url(re.compile(r"^[^?]*/dashboard/$"))
    page.goto("/draws/weekend-at-the-coast/")
    press(page.get_by_role("button", name="Enter"))
    expect(page.get_by_role("heading", level=1)).to_have_text("You are in the drum")

    live_site.manage("process_notifications")
    page.goto("/inbox/")
    press(page.locator(".letters__link").first)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Weekend at the coast")

    page.goto("/accounts/2fa/")
    press(page.get_by_role("link", name="Set up an app"))
    write(page.get_by_label("Password"), PASSWORD)
    page.keyboard.press("Enter")
    press(page.get_by_text("It can’t scan? Type this in"))
    secret = page.locator("[data-copy-value]").inner_text().strip()
    write(page.get_by_label("Authenticator code"), code_of(secret))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
    codes = page.locator(".codes__grid span").all_inner_texts()
    assert len(codes) == 10

    sign_out(page)
    sign_in(page, "grace@example.com")
    type_code(page, code_of(secret))
    expect(page).to_have_url(re.compile(r"^[^?]*/dashboard/$"))

    sign_out(page)
    sign_in(page, "grace@example.com")
    type_code(page, codes[0])
    expect(page).to_have_url(re.compile(r"^[^?]*/dashboard/$"))
    assert page_errors == []


def test_a_passkey_is_made_signs_in_alone_and_confirms(live_site, page, passkeys, page_errors):
    make_user(email="grace@example.com", password=PASSWORD, display_name="Grace")
    sign_in(page, "grace@example.com")
    expect(page).to_have_url(re.compile(r"^[^?]*/dashboard/$"))
    page.goto("/accounts/2fa/webauthn/add/")
    expect(page.get_by_label("Sign in with it alone")).to_be_checked()
    press(page.get_by_role("button", name="Make the passkey"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")

    sign_out(page)
    page.goto("/accounts/login/?next=/inbox/")
    press(page.get_by_role("button", name="Sign in with a passkey"))
    expect(page).to_have_url(re.compile(r"^[^?]*/inbox/$"))

    page.goto("/accounts/2fa/webauthn/reauthenticate/?next=/wallet/")
    press(page.get_by_role("button", name="Use your passkey"))
    expect(page).to_have_url(re.compile(r"^[^?]*/wallet/$"))

    sign_out(page)
    sign_in(page, "grace@example.com")
    expect(page.get_by_role("heading", level=1)).to_have_text("Show your second factor")
    press(page.get_by_role("button", name="Use your passkey"))
    expect(page).to_have_url(re.compile(r"^[^?]*/dashboard/$"))
    for width, scheme in ((360, "light"), (360, "dark"), (1440, "light"), (1440, "dark")):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for address in ACCOUNT:
            page.goto(address, wait_until="load")
            over = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert over <= 0, f"{address} sticks out by {over} px at {width} px"
    assert page_errors == []


def test_a_passkey_of_another_account_does_not_confirm_this_one(live_site, page, passkeys):
    """A browser offers only keys of the account; a forged answer is refused by the site all the same."""
    make_user(email="grace@example.com", password=PASSWORD)
    page.goto("/accounts/login/")
    press(page.get_by_role("button", name="Sign in with a passkey"))
    expect(page.get_by_role("alert")).to_contain_text("Nothing came of it")
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_enabled()


def test_where_passkeys_can_not_work_the_page_says_why(live_site, browser):
    user = make_user(email="grace@example.com", password=PASSWORD)
    context = browser.new_context(base_url=live_site.url, reduced_motion="reduce")
    page = context.new_page()
    sign_in(page, user.email)
    expect(page).to_have_url(re.compile(r"^[^?]*/dashboard/$"))
    page.goto("/accounts/2fa/webauthn/add/")
    expect(page.get_by_text("Passkeys need HTTPS, or the name localhost")).to_be_visible()
    expect(page.get_by_role("button", name="Make the passkey")).to_be_hidden()
    context.close()


def test_an_app_is_set_up_and_asked_for_without_javascript(live_site, browser):
    user = make_user(email="grace@example.com", password=PASSWORD)
    context = browser.new_context(base_url=live_site.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/accounts/login/?next=/accounts/2fa/totp/activate/")
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    main(page).get_by_role("button", name="Sign in").first.click()
    page.get_by_text("It can’t scan? Type this in").click()
    secret = page.locator("[data-copy-value]").inner_text().strip()
    page.get_by_label("Authenticator code").fill(code_of(secret))
    main(page).get_by_role("button", name="Turn it on").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
    assert User.objects.get(pk=user.pk).authenticator_set.count() == 2
    context.close()
