"""Writing words in a real browser: the preview follows what is typed, errors and warnings look right on every screen."""

import re

from playwright.sync_api import expect

from notifications.models import Broadcast, TemplateOverride
from tests.factories import admin, alice
from tests.test_pages_browser import SCREENS, examined, listen, signed_in, turn, what_sticks_out

EDITOR = "/admin/notifications/templateoverride/add/?kind=draws.winner_announcement&language=en"


def test_the_preview_follows_what_is_typed_and_enter_saves_nothing(live_site, browser):
    page = signed_in(browser, live_site, "super", viewport={"width": 1440, "height": 900}).new_page()
    complaints = listen(page)
    page.goto(EDITOR)
    preview = page.locator("#fg-preview")
    page.get_by_label("Subject").fill("Yours: {{ prize }}")
    expect(preview).to_contain_text("Yours: prize")
    page.get_by_label("Text", exact=True).fill("One\n{{ nobody }}")
    expect(preview).to_contain_text("Line 2: There is no variable “nobody” here")
    page.get_by_label("Text", exact=True).fill("Claim it: {{ claim_url }}")
    frame = page.frame_locator("iframe.fg-frame")
    expect(frame.locator("h1")).to_have_text("Yours: prize")
    page.get_by_label("Subject").press("Enter")
    expect(page.get_by_label("Subject")).to_have_value("Yours: {{ prize }}")
    assert not TemplateOverride.objects.exists()
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(re.compile(r"^[^?]*/templateoverride/\d+/change/$"))
    expect(page.locator("#fg-versions")).to_be_visible()
    assert not complaints


def test_errors_and_warnings_are_at_home_on_every_screen(live_site, browser):
    wrong = []
    for size, scheme in SCREENS:
        context = signed_in(browser, live_site, "super", viewport=size, color_scheme=scheme)
        page = context.new_page()
        complaints = listen(page)
        page.goto(EDITOR)
        page.get_by_label("Subject").fill("YOURS NOW: {{ prize }}!!!")
        page.get_by_label("HTML").fill("<p>never closed {{ claim_url }}")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("is never closed").first).to_be_visible()
        wrong += examined(page, EDITOR) + what_sticks_out(page, EDITOR, scheme)
        turn(page, "light" if scheme == "dark" else "dark")
        wrong += examined(page, EDITOR) + what_sticks_out(page, EDITOR, "the other") + complaints
        context.close()
    assert not wrong, "\n".join(wrong)


def test_a_broadcast_is_made_from_audience_to_schedule(live_site, browser):
    alice(), admin()
    page = signed_in(browser, live_site, "super", viewport={"width": 360, "height": 740}).new_page()
    complaints = listen(page)
    page.goto("/admin/notifications/segment/add/")
    page.get_by_label("Name").fill("Everybody")
    page.get_by_label("Rule 1", exact=True).select_option(label="has an account")
    expect(page.locator("#fg-count")).to_contain_text("has an account")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(re.compile(r"^[^?]*/segment/\d+/change/$"))
    page.goto("/admin/notifications/broadcast/add/")
    page.get_by_label("Title").fill("News")
    page.get_by_label("Audience").select_option(label="Everybody")
    page.get_by_label("Sent at").fill("2099-01-01T10:00")
    page.get_by_role("button", name="Save the draft").click()
    page.get_by_role("link", name="Write in English").click()
    page.get_by_label("Subject").fill("Hello")
    page.get_by_label("Text", exact=True).fill("Hello, {{ name }}.")
    expect(page.locator("#fg-preview")).to_contain_text("Hello, Asha Kamau.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("more than a year ahead")).to_be_visible()
    assert Broadcast.objects.get().words["en"]["subject"] == "Hello"
    assert not complaints
