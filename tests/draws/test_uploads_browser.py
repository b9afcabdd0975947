"""Importing a list in a real browser: choose the file, see the bar move, read the report."""

import os
from pathlib import Path

import pytest
from django.test import Client
from playwright.sync_api import BrowserContext, Page, expect

from draws.models import EntryImport, EntryUpload
from tests.draws.admin_pages import act_url, page_of
from tests.draws.factories import make_draw
from tests.draws.processes import gate
from tests.factories import admin
from tests.live import LiveSite

SCREENS = [(360, "light"), (360, "dark"), (1440, "light"), (1440, "dark")]
PEOPLE = 150_000


@pytest.fixture
def boss(live_site: LiveSite, browser_context: BrowserContext, page: Page) -> Page:
    client = Client()
    client.force_login(admin())
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_site.url}
    browser_context.add_cookies([cookie])
    return page


def look(page: Page, name: str) -> None:
    """Nothing sticks out on any screen; pictures where `SCREENSHOTS` names a folder."""
    for width, scheme in SCREENS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.reload()  # the admin chooses its colours when a page is loaded
        expect(page.locator("html.dark")).to_have_count(int(scheme == "dark"))
        too_wide = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert too_wide <= 0, f"{page.url} sticks out by {too_wide} px at {width} px"
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=f"{folder}/{name}-{width}-{scheme}.png", full_page=True)


def chosen(tmp_path: Path, content: str, name: str = "entrants.csv") -> str:
    path = tmp_path / name
    path.write_text(content)
    return str(path)


def test_the_bar_moves_to_its_end_and_the_report_follows(
    cloned_db, live_site: LiveSite, boss: Page, page_errors: list[str], tmp_path: Path
):
    draw = make_draw()
    people = "".join(f"p{n}@example.org,Person {n}\n" for n in range(PEOPLE))
    with gate(cloned_db) as shut:
        # Stopped where progress is shown for the second time, so that the first is there to be seen.
        shut.shut("draws_uploadprogress", "UPDATE", "OLD.lines > 0")
        boss.goto(act_url(draw, "import"))
        look(boss, "form")
        boss.locator("input[type=file]").set_input_files(chosen(tmp_path, people + "nobody,No\n"))
        boss.get_by_role("button", name="Upload this file").click()
        bar = boss.get_by_role("progressbar", name="Import under way")
        expect(bar).to_have_attribute("value", "0")
        expect(boss.get_by_text("A worker begins in a few seconds.")).to_be_visible()
        look(boss, "waiting")
        worker = live_site.start_worker()
        shut.wait_for_one(worker)
        expect(boss.get_by_text("10,000 lines read.")).to_be_visible(timeout=30_000)
        assert 0 < bar.evaluate("bar => bar.value") < 100
        look(boss, "running")
        shut.open()
    expect(boss.get_by_text("Why it was refused")).to_be_visible(timeout=60_000)
    report = EntryImport.objects.get()
    assert (report.accepted, report.rejected) == (PEOPLE, 1)
    assert boss.url.endswith(f"/entryimport/{report.pk}/change/")
    look(boss, "report")
    boss.goto(page_of(draw))
    expect(boss.get_by_role("link", name="entrants.csv")).to_be_visible()
    assert page_errors == []


def test_a_refused_file_says_why_and_is_tried_again(
    cloned_db, live_site: LiveSite, boss: Page, page_errors: list[str], tmp_path: Path
):
    draw = make_draw()
    live_site.start_worker()
    boss.goto(act_url(draw, "import"))
    boss.locator("input[type=file]").set_input_files(chosen(tmp_path, "nobody\nno one\n"))
    boss.get_by_role("button", name="Upload this file").click()
    expect(boss.get_by_text("None of the 2 lines can be used.").first).to_be_visible(timeout=30_000)
    look(boss, "refused")
    boss.goto(page_of(draw))
    expect(boss.get_by_role("heading", name="Files not imported")).to_be_visible()
    look(boss, "draw")
    boss.get_by_role("link", name="entrants.csv").click()
    boss.get_by_role("button", name="Try again").click()
    expect(boss.get_by_role("button", name="Try again")).to_be_visible(timeout=30_000)
    assert EntryUpload.objects.get().state == "refused"
    assert page_errors == []
