"""What a form says beside a field: when one leaves it and before it is sent, and without JavaScript as ever."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.factories import alice

PHONE = {"width": 360, "height": 740}


def field_of(page: Page, name: str):
    return page.locator(".field", has=page.locator(f"[name={name}]"))


def test_a_field_one_leaves_says_what_is_wrong_and_keeps_what_was_typed(live_site, page, page_errors):
    page.set_viewport_size(PHONE)
    page.goto("/accounts/signup/")
    email = page.locator("[name=email]")
    email.press_sequentially("nia@")
    expect(field_of(page, "email").locator(".field__error")).to_have_count(0)  # not while one types
    page.keyboard.press("Tab")
    error = field_of(page, "email").locator(".field__error")
    expect(error).to_contain_text("asha@example.com")
    expect(email).to_have_value("nia@")
    expect(email).to_have_attribute("aria-invalid", "true")
    described = (email.get_attribute("aria-describedby") or "").split()
    assert error.get_attribute("id") in described
    expect(page.locator("main form [role=status]")).to_contain_text("Email: An e-mail address")
    email.fill("nia@example.com")  # let go as soon as it is right
    expect(error).to_have_count(0)
    assert email.get_attribute("aria-invalid") is None
    assert page_errors == []


def test_a_field_that_was_only_passed_is_left_alone(live_site, page):
    page.goto("/accounts/signup/")
    page.locator("[name=display_name]").focus()
    page.keyboard.press("Tab")
    expect(page.locator("[name=email]")).to_be_focused()
    expect(page.locator(".field__error")).to_have_count(0)


def test_a_form_that_can_not_be_right_is_not_sent_and_the_first_wrong_field_gets_the_focus(live_site, page):
    sent: list[str] = []
    page.on("request", lambda request: request.method == "POST" and sent.append(request.url))
    page.goto("/accounts/signup/")
    page.locator("[name=email]").fill("nia@example.com")
    page.locator("[name=password1]").press_sequentially("short")
    page.locator("main").get_by_role("button", name="Join").click()
    expect(page.locator("[name=display_name]")).to_be_focused()
    expect(field_of(page, "display_name").locator(".field__error")).to_have_text("Please fill this in.")
    expect(field_of(page, "password1").locator(".field__error")).to_contain_text("at least 10 characters")
    assert sent == []


def test_one_press_is_enough_though_the_field_left_by_it_gets_a_line_longer(live_site, page):
    page.set_viewport_size(PHONE)
    page.goto("/accounts/signup/")
    page.locator("[name=password1]").press_sequentially("short")
    link = page.locator("main").get_by_role("link", name="Sign in")
    link.scroll_into_view_if_needed()
    place = link.bounding_box()
    page.mouse.move(place["x"] + place["width"] / 2, place["y"] + 4)
    page.mouse.down()
    assert page.evaluate("document.activeElement.name") != "password1"
    page.mouse.up()
    expect(page).to_have_url(re.compile("/accounts/login/"))


def test_what_only_the_server_knows_is_said_there_and_goes_when_it_is_changed(live_site, page):
    member = alice()
    member.set_password("a long enough phrase")
    member.save(update_fields=["password"])
    page.goto("/accounts/login/?next=/accounts/profile/")
    page.get_by_label("Email").fill(member.email)
    page.get_by_label("Password").fill("a long enough phrase")
    page.locator("main").get_by_role("button", name="Sign in").click()
    phone = page.locator("[name=phone]")
    phone.fill("+254 12 34 56")
    page.get_by_role("button", name="Save").click()
    error = field_of(page, "phone").locator(".field__error")
    expect(error).to_contain_text("This is no phone number.")
    expect(phone).to_have_value("+254 12 34 56")
    phone.fill("+254 711 000 001")
    expect(error).to_have_count(0)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").or_(page.locator(".messages")).first).to_be_visible()
    member.refresh_from_db()
    assert str(member.phone) == "+254711000001"


@pytest.mark.parametrize("address", ["/accounts/signup/", "/accounts/login/"])
def test_without_javascript_the_browser_and_the_server_ask(live_site, browser: Browser, address):
    context = browser.new_context(base_url=live_site.url, java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    form = page.locator("main form").first
    assert form.get_attribute("novalidate") is None
    assert page.locator("[name=email], [name=login]").first.get_attribute("required") is not None
    context.close()
