"""The menus and dialogs of the admin by keyboard alone, and its longest page on a phone."""

import re

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import Page, expect

from tests.test_pages_browser import signed_in

PHONE = {"width": 360, "height": 740}
SEALS = "/admin/audit/seal/"


@pytest.fixture
def phone(live_site, browser) -> Page:
    context = signed_in(browser, live_site, "super", viewport=PHONE)
    yield context.new_page()
    context.close()


def test_the_menu_behind_three_dots_opens_and_closes_by_keyboard(phone):
    phone.goto(SEALS, wait_until="load")
    opener = phone.get_by_role("button", name="More actions")
    act = phone.get_by_role("link", name="Seal now")
    expect(opener).to_have_attribute("aria-expanded", "false")
    expect(act).to_be_hidden()
    opener.focus()
    phone.keyboard.press("Enter")
    expect(opener).to_have_attribute("aria-expanded", "true")
    phone.keyboard.press("Tab")
    expect(act).to_be_focused()
    phone.keyboard.press("Escape")
    expect(act).to_be_hidden()
    expect(opener).to_be_focused()


def test_a_dialog_takes_the_focus_and_gives_it_back(phone):
    phone.set_viewport_size({"width": 1440, "height": 900})
    phone.goto(SEALS, wait_until="load")
    act = phone.get_by_role("link", name="Seal now")
    act.focus()
    phone.keyboard.press("Enter")
    dialog = phone.get_by_role("dialog", name="Seal now")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("button", name="Seal", exact=True)).to_be_focused()
    phone.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(act).to_be_focused()


def test_a_dialog_in_a_tab_of_its_own_works(phone):
    phone.goto(f"{SEALS}seal-now/", wait_until="load")
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    phone.get_by_role("button", name="Seal", exact=True).click()
    phone.wait_for_url(re.compile(rf"^[^?]*{SEALS}$"))


def test_a_phone_shows_two_figures_and_the_names_of_the_others(phone):
    phone.goto("/admin/draws/analytics/", wait_until="load")
    folds = phone.locator("details.fg-fold")
    assert folds.count() > 5
    assert phone.locator("details.fg-fold[open]").count() == 2
    folds.last.locator("summary").focus()
    phone.keyboard.press("Enter")
    expect(folds.last).to_have_attribute("open", "")
    phone.set_viewport_size({"width": 1440, "height": 900})
    phone.reload(wait_until="load")
    assert phone.locator("details.fg-fold[open]").count() == folds.count()


def test_the_menu_of_a_row_is_a_button_with_a_name():
    html = render_to_string(
        "unfold/helpers/actions_row.html",
        {
            "actions": [{"raw_path": "admin:audit_seal_change", "title": "Look", "attrs": {}}],
            "instance_pk": "7",
        },
    )
    assert re.search(r'<button type="button"[^>]*aria-expanded="false"[^>]*aria-label="More actions"', html)
    assert 'href="/admin/audit/seal/7/change/"' in html
