"""The page of all components: there on an embedded site, complete, and in a browser without a complaint."""

import datetime as dt
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.template import Context, Template
from django.utils import timezone
from playwright.sync_api import expect

from config.component_page import COLOURS, ICONS, SPACES, TYPE
from config.templatetags.times import told

PAGE = "/dev/components/"
SUMMER = dt.datetime(2026, 7, 1, 22, 30, tzinfo=dt.UTC)
WINTER = dt.datetime(2026, 1, 1, 12, 0, tzinfo=dt.UTC)
PARTIALS = settings.BASE_DIR / "templates" / "components"
# Shown otherwise: the frame of each page, parts of others, and what only one page has.
ELSEWHERE = {
    "account_links", "account_nav", "bulbs", "confirm", "draw_notes", "draw_source", "draw_tabs", "draw_won",
    "error_ticket", "fairness_steps", "field", "form", "mark", "plot", "site_footer", "site_header", "site_links",
}  # fmt: skip


class TestPage:
    def test_it_is_there_on_an_embedded_site_only(self, client, settings):
        settings.EMBEDDED = True
        assert client.get(PAGE).status_code == 200
        settings.EMBEDDED = False
        assert client.get(PAGE).status_code == 404

    def test_every_component_is_on_it(self, client, settings):
        settings.EMBEDDED = True
        names = {template.name for template in client.get(PAGE).templates if template.name}
        wanted = {file.stem for file in PARTIALS.glob("*.html")} - ELSEWHERE
        assert {name for name in wanted if f"components/{name}.html" not in names} == set()

    def test_what_it_shows_of_tokens_and_icons_is_what_there_is(self):
        css = (settings.BASE_DIR / "static/css/tokens.css").read_text()
        shown = {name for names in COLOURS.values() for name in names}
        declared = set(re.findall(r"--([\w-]+): (?:light-dark\(|#)", css)) - {"focus", "shadow"}
        assert shown == declared
        assert set(TYPE) == set(re.findall(r"--text-(\w+):", css))
        assert set(SPACES) == set(re.findall(r"--space-(\w+):", css))
        symbols = (settings.BASE_DIR / "static/img/icons.svg").read_text()
        assert set(ICONS) == set(re.findall(r'<symbol id="(\w+)"', symbols))

    def test_the_form_keeps_what_was_typed_and_says_what_is_wrong(self, client, settings):
        settings.EMBEDDED = True
        html = client.get(PAGE, {"sample": "1", "name": "Asha", "email": "no address"}).content.decode()
        assert 'value="no address"' in html
        assert 'id="id_email_error"' in html
        assert 'id="id_name_error"' not in html

    def test_a_sample_shows_the_words_that_made_it(self):
        words = (
            '{% load samples %}{% sample "Adding" %}{% if n %}<b>{{ n|add:1 }}</b>{% endif %}{% endsample %}'
        )
        html = Template(words).render(Context({"n": 1}))
        assert "<b>2</b>" in html
        assert "{% if n %}&lt;b&gt;{{ n|add:1 }}&lt;/b&gt;{% endif %}" in html


class TestTimes:
    def test_clocks_that_agree_are_told_once(self):
        with timezone.override("Europe/London"):
            assert not told(WINTER, "Africa/Abidjan").is_twice
            assert told(SUMMER, "Africa/Abidjan").is_twice

    def test_another_date_there_is_said(self):
        with timezone.override("UTC"):
            late = told(SUMMER, "Africa/Nairobi")
        assert (late.is_twice, late.is_other_day, late.city) == (True, True, "Nairobi")

    def test_each_time_is_labelled(self, client, django_user_model):
        words = '{% include "components/when.html" with at=at zone="Africa/Nairobi" %}'
        with timezone.override("Asia/Dhaka"):
            html = Template(words).render(
                Context({"at": WINTER, "user": django_user_model(), "zone": "Africa/Nairobi"})
            )
        text = re.sub(r"<[^>]+>", "", html)
        assert "Thu 1 Jan 2026, 18:00 your time" in text
        assert text.endswith("15:00 Nairobi time")


def test_the_help_for_a_new_password_names_the_length_that_is_asked_for():
    lengths = [
        each["OPTIONS"]["min_length"] for each in settings.AUTH_PASSWORD_VALIDATORS if "OPTIONS" in each
    ]
    assert f"At least {lengths[0]} characters" in (PARTIALS / "field.html").read_text()


class TestInABrowser:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_nothing_is_complained_about_or_sticks_out(self, live_site, page, page_errors, scheme):
        page.set_viewport_size({"width": 360, "height": 800})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.goto(PAGE, wait_until="load")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        found = Axe().run(page).response["violations"]
        assert [(each["id"], each["nodes"][0]["target"]) for each in found] == []
        assert page_errors == []

    def test_sharing_copies_the_address_where_there_is_no_sheet(self, live_site, page, page_errors):
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.add_init_script("delete Navigator.prototype.share")
        page.goto(PAGE)
        page.get_by_role("button", name="Copy link").click()
        expect(page.get_by_role("button", name="Link copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == f"{live_site.url}/draws/"
        assert page_errors == []

    def test_sharing_opens_the_sheet_where_there_is_one(self, live_site, page):
        page.add_init_script(
            "Navigator.prototype.share = (what) => { window.shared = what; return Promise.reject(new Error('closed')) }"
        )
        page.goto(PAGE)
        page.get_by_role("button", name="Share", exact=True).click()
        assert page.evaluate("window.shared.url") == f"{live_site.url}/draws/"

    def test_without_script_one_can_still_pass_it_on(self, live_site, browser):
        context = browser.new_context(base_url=live_site.url, java_script_enabled=False)
        page = context.new_page()
        page.goto(PAGE)
        share = page.locator(".share").first
        expect(share.get_by_role("link", name="Email")).to_have_attribute(
            "href", re.compile("^mailto:.*draws")
        )
        expect(share.get_by_role("button")).to_be_hidden()
        context.close()
