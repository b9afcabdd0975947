"""A draw watched in real browsers: the same winners in the same order and the same second, without a reload."""

from collections.abc import Callable, Iterator

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from draws import services
from draws.models import Draw
from draws.services.revealing import reveal_of
from tests.draws.factories import VOUCHER, make_frozen
from tests.live import LiveSite

PRIZES = [("Grand prize", "cash", 100_000, 1), ("Second prize", "cash", 10_000, 1), VOUCHER]
# Notes when each winner appeared, by the clock of the machine, which all browsers here share.
NOTE_WINNERS = """
    window.loads = 1;
    window.shown = [];
    const machine = Date;
    const machineNow = Date.now.bind(Date);
    document.addEventListener("DOMContentLoaded", () => {
      new MutationObserver((changes) => {
        for (const change of changes)
          for (const node of change.addedNodes)
            if (node.dataset?.slot) window.shown.push([Number(node.dataset.slot), machineNow()]);
      }).observe(document.body, { childList: true, subtree: true });
    });
"""
# A device whose clock is wrong by an hour.
WRONG_CLOCK = "const right = Date.now.bind(Date); Date.now = () => right() + 3_600_000;"


@pytest.fixture
def watch(browser: Browser, live_site: LiveSite) -> Iterator[Callable[..., Page]]:
    """`watch(draw)`: somebody else opens the draw's page, in a browser of their own."""
    contexts = []
    errors: list[str] = []

    def open_page(draw: Draw, *, script: str = "", motion: str = "no-preference", **options) -> Page:
        context = browser.new_context(
            base_url=live_site.url, locale="en-GB", reduced_motion=motion, **options
        )
        contexts.append(context)
        context.add_init_script(NOTE_WINNERS + script)
        page = context.new_page()
        page.on("console", lambda message: message.type == "error" and errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"/draws/{draw.slug}/")
        page.evaluate("window.isFirstLoad = true")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


def shown_on(page: Page, count: int) -> list[tuple[int, int]]:
    """(slot, moment) of each winner, once `count` were shown; on the page that was first loaded."""
    page.wait_for_function("count => window.shown.length >= count", arg=count, timeout=60_000)
    assert page.evaluate("window.isFirstLoad") is True
    return [(slot, at) for slot, at in page.evaluate("window.shown")]


def test_two_browsers_show_the_same_winners_in_the_same_second(watch):
    draw = make_frozen(prizes=PRIZES)
    first, second = watch(draw), watch(draw, script=WRONG_CLOCK, motion="reduce")
    expect(first.get_by_text("The drum is turning")).to_be_visible()
    services.execute_draw(draw_id=draw.pk, now=timezone.now())
    draw.refresh_from_db()
    reveal = reveal_of(draw, now=timezone.now())
    assert reveal
    late = watch(draw)
    ours, theirs = shown_on(first, 3), shown_on(second, 3)
    moments = [reveal["begins_at"] + number * reveal["step"] for number in range(3)]
    print(
        "late by",
        [[at - moment for (_slot, at), moment in zip(seen, moments, strict=True)] for seen in (ours, theirs)],
    )
    for seen in (ours, theirs, shown_on(late, 3)):
        assert [slot for slot, _at in seen] == [2, 1, 0]
    # Never early; and the difference between two browsers is that of their way here, however busy this machine is.
    for (_slot, at), moment in zip(ours, moments, strict=True):
        assert at >= moment - 50
    for page in (first, second, late):
        expect(page.locator("[data-reveal-list] > li")).to_have_count(3)
        expect(page.get_by_role("heading", name="All winners are drawn")).to_be_visible()
