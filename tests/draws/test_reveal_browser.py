"""A draw watched in real browsers: the same winners in the same order and the same second, without a reload."""

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from draws import services
from draws.models import Draw
from draws.services.revealing import reveal_of
from tests.conftest import ClonedDatabase
from tests.draws.factories import VOUCHER, environment, make_frozen
from tests.live import LiveSite
from tests.own_redis import OwnRedis
from tests.test_pages_browser import examined

MANY = [("Cup", "voucher", 0, 10)]
PRIZES = [("Grand prize", "cash", 100_000, 1), ("Second prize", "cash", 10_000, 1), VOUCHER]
# Notes when each winner appeared, by the clock of the machine, which all browsers here share.
NOTE_WINNERS = """
    window.shown = [];
    const machineNow = Date.now.bind(Date);
    new MutationObserver((changes) => {
      for (const change of changes)
        for (const node of change.addedNodes)
          if (node.dataset?.slot) window.shown.push([Number(node.dataset.slot), machineNow()]);
    }).observe(document, { childList: true, subtree: true });
"""
# A device whose clock is wrong by an hour.
WRONG_CLOCK = "const right = Date.now.bind(Date); Date.now = () => right() + 3_600_000;"


class Audience:
    """Browsers of different people, all looking at one site; `errors` is what went wrong in any."""

    def __init__(self, browser: Browser, site: LiveSite) -> None:
        self._browser, self._site = browser, site
        self._contexts = []
        self.errors: list[str] = []

    def watch(self, draw: Draw, *, script: str = "", motion: str = "no-preference", **options) -> Page:
        """Somebody else opens the draw's page."""
        context = self._browser.new_context(
            base_url=self._site.url, locale="en-GB", reduced_motion=motion, **options
        )
        self._contexts.append(context)
        context.add_init_script(NOTE_WINNERS + script)
        page = context.new_page()
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(f"/draws/{draw.slug}/")
        page.evaluate("window.isFirstLoad = true")
        return page

    def go(self) -> None:
        """The show is over."""
        for context in self._contexts:
            context.close()


@contextmanager
def audience_of(browser: Browser, site: LiveSite) -> Iterator[Audience]:
    audience = Audience(browser, site)
    try:
        yield audience
    finally:
        audience.go()


@pytest.fixture
def watch(browser: Browser, live_site: LiveSite) -> Iterator[Callable[..., Page]]:
    """`watch(draw)`: somebody else opens the draw's page, in a browser of their own; nothing may go wrong in any."""
    with audience_of(browser, live_site) as audience:
        yield audience.watch
    assert audience.errors == []


@pytest.fixture
def frail_site(cloned_db: ClonedDatabase, own_redis: OwnRedis, tmp_path: Path) -> Iterator[LiveSite]:
    """The site over a Redis that may be killed."""
    site = LiveSite(environment(cloned_db) | {"REDIS_URL": own_redis.url}, tmp_path)
    try:
        site.start_web()
        yield site
    finally:
        site.stop()


def shown_on(page: Page, count: int) -> list[tuple[int, int]]:
    """(slot, moment) of each winner, once `count` were shown; on the page that was first loaded."""
    page.wait_for_function("count => window.shown.length >= count", arg=count, timeout=60_000)
    assert page.evaluate("window.isFirstLoad") is True
    return [(slot, at) for slot, at in page.evaluate("window.shown")]


def assert_all_see_the_same(pages: list[Page], draw: Draw) -> None:
    """Whoever looks sees the winners of the first slots, the main prize on top, as the results name them."""
    names = [winner.display_name for winner in draw.winners.select_related("entry__member").order_by("slot")]
    for page in pages:
        expect(page.get_by_role("heading", name="All winners are drawn")).to_be_visible()
        assert page.locator("[data-reveal-list] [data-name]").all_inner_texts() == names
        assert page.evaluate("window.isFirstLoad") is True


def test_two_browsers_show_the_same_winners_in_the_same_second(watch):
    draw = make_frozen(prizes=PRIZES)
    first, second = watch(draw), watch(draw, script=WRONG_CLOCK, motion="reduce")
    for page in (first, second):
        expect(page.get_by_text("The drum is turning")).to_be_visible()
        expect(page.get_by_text("2 are watching")).to_be_visible()
    services.execute_draw(draw_id=draw.pk, now=timezone.now())
    draw.refresh_from_db()
    reveal = reveal_of(draw, now=timezone.now())
    assert reveal
    expect(first.locator("[data-reveal-list] > li").first).to_be_visible(timeout=60_000)
    late = watch(draw)
    moments = [reveal["begins_at"] + number * reveal["step"] for number in range(3)]
    ours, theirs, caught_up = (shown_on(page, 3) for page in (first, second, late))
    for seen in (ours, theirs, caught_up):
        assert [slot for slot, _at in seen] == [2, 1, 0]
        # By the clock of the server, which runs on this machine: never early (a hair, for rounding), and none
        # before its turn, however late a busy machine is.
        for (_slot, at), moment in zip(seen, moments, strict=True):
            assert at >= moment - 100
        assert [at for _slot, at in seen] == sorted(at for _slot, at in seen)
    late_by = [
        [at - at_of for (_slot, at), at_of in zip(seen, moments, strict=True)] for seen in (ours, theirs)
    ]
    print("late by, in ms:", late_by)
    assert_all_see_the_same([first, second, late], draw)


def test_who_does_not_want_to_wait_sees_all_of_them_and_who_has_won_sees_it(watch):
    draw = make_frozen(prizes=MANY, entrants=12)
    page = watch(draw, motion="reduce", viewport={"width": 360, "height": 740})
    badge = page.locator(".draw-hero .badge:visible")
    expect(badge).to_have_text("Drawing now")
    services.execute_draw(draw_id=draw.pk, now=timezone.now())
    draw.refresh_from_db()
    shown_on(page, 1)
    assert examined(page, "while and after") == []
    page.get_by_role("button", name="Show all now").click(timeout=60_000)
    assert_all_see_the_same([page], draw)
    expect(badge).to_have_text("Drawn")
    assert examined(page, "while and after") == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    expect(page.get_by_role("heading", name="All winners are drawn")).to_be_focused()
    expect(page.get_by_text("10 / 10")).to_be_visible()
    page.get_by_role("link", name="Results and proof").click()
    expect(page.get_by_role("heading", name="Winners")).to_be_visible()


def test_who_has_no_script_finds_the_winners_one_press_away(watch):
    draw = make_frozen(prizes=PRIZES)
    services.execute_draw(draw_id=draw.pk, now=timezone.now())
    page = watch(draw, java_script_enabled=False)
    assert page.locator("[data-reveal]").is_hidden()
    page.get_by_role("link", name="See the winners").click()
    expect(page.get_by_role("heading", name="Winners")).to_be_visible()


def test_redis_killed_while_the_winners_are_shown_takes_none_from_anybody(browser, frail_site, own_redis):
    draw = make_frozen(prizes=PRIZES)
    with audience_of(browser, frail_site) as audience:
        pages = [audience.watch(draw), audience.watch(draw)]
        frail_site.manage("execute_due_draws")
        draw.refresh_from_db()
        for page in pages:
            shown_on(page, 1)
        own_redis.kill()
        pages.append(audience.watch(draw))
        for page in pages:
            assert [slot for slot, _at in shown_on(page, 3)] == [2, 1, 0]
        assert_all_see_the_same(pages, draw)


def test_a_draw_made_while_redis_was_dead_is_seen_seconds_later(browser, frail_site, own_redis):
    draw = make_frozen(prizes=MANY, entrants=12)
    with audience_of(browser, frail_site) as audience:
        pages = [audience.watch(draw), audience.watch(draw)]
        for page in pages:
            expect(page.get_by_text("2 are watching")).to_be_visible()
        own_redis.kill()
        frail_site.manage("execute_due_draws")
        own_redis.start()
        draw.refresh_from_db()
        for page in pages:
            page.get_by_role("button", name="Show all now").click(timeout=60_000)
        assert_all_see_the_same(pages, draw)


def test_the_token_of_one_draw_hears_nothing_of_another(live_site):
    mine, other = make_frozen(prizes=PRIZES), make_frozen(prizes=PRIZES)
    connection = http.client.HTTPConnection("127.0.0.1", live_site.port, timeout=30)
    connection.request("GET", f"/draws/{mine.slug}/live/")
    token = json.loads(connection.getresponse().read())["token"]
    connection.request("GET", f"/live/?token={token}")
    stream = connection.getresponse()
    while stream.readline() != b"event: ping\n":
        pass
    for draw in (other, mine):
        services.execute_draw(draw_id=draw.pk, now=timezone.now())
    heard = b""
    while b"event: drawn" not in heard:
        heard += stream.readline()
    heard += stream.readline()
    told = json.loads(heard.rpartition(b"data: ")[2])["reveal"]["winners"]
    assert {row["pid"] for row in told} == {
        winner.entry.pid_hex[:12] for winner in mine.winners.select_related("entry")
    }
    connection.close()
