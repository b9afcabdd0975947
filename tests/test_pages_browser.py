"""Every page in a real browser: narrow and wide, light and dark, and by the rules of accessibility.

Nothing may be said on the console, no request may fail, no policy be broken, nothing stick out sideways. The pages
are those of `tests/access.py` that the one who looks gets with 200; each is opened once at each width.
"""

from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, Page, Response

from tests.access import ACCOUNTS, API, PAGES, STANDIN, TABLE, WHO
from tests.live import LiveSite
from tests.test_permissions import path_of
from tests.world import build_world, client_of

# Wide pages are looked at in the light and narrow ones in the dark by axe; what sticks out is measured in both.
SCREENS = [({"width": 360, "height": 740}, "dark"), ({"width": 1440, "height": 900}, "light")]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
# No pages: what is fetched by a script, shown in a frame or kept as a file.
FILES = (
    ".csv",
    ".json",
    ".py",
    ".js",
    "push/devices/",
    "/live/",
    "/html/",
    "/download/",
    "<str:key>/",
    "healthz",
    "readyz",
    "metrics",
    "admin/search/",  # a part of a page
    "admin/jsi18n/",
    "/progress/",
)


def addresses_of(who: str) -> list[str]:
    """The pages that a browser shows `who`."""
    position = WHO.index(who)
    chosen = (
        PAGES | STANDIN | ACCOUNTS
        if who != "super"
        else {name: row for name, row in TABLE.items() if name.startswith("admin/")}
    )
    return [
        name
        for name, row in chosen.items()
        if row.get[position] == "." and name not in API and not name.endswith(FILES)
    ]


def signed_in(browser: Browser, site: LiveSite, who: str, **options: Any) -> BrowserContext:
    """A fresh profile of `who`, signed in as the tests sign in."""
    context = browser.new_context(base_url=site.url, reduced_motion="reduce", locale="en-GB", **options)
    if who != "visitor":
        session = client_of(who).cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": site.url}])
    return context


def listen(page: Page) -> list[str]:
    """What the browser complains about from now on."""
    complaints: list[str] = []

    def answered(response: Response) -> None:
        if response.status >= 400:
            complaints.append(f"{page.url}: {response.status} for {response.url}")

    page.on(
        "console",
        lambda message: (
            message.type in ("error", "warning") and complaints.append(f"{page.url}: {message.text}")
        ),
    )
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
    page.on("response", answered)
    return complaints


@pytest.mark.parametrize("who", ["visitor", "alice", "super"])
def test_every_page_is_at_home_on_every_screen(live_site, browser, who):
    world = build_world()
    wrong: list[str] = []
    for size, scheme in SCREENS:
        context = signed_in(browser, live_site, who, viewport=size, color_scheme=scheme)
        page = context.new_page()
        complaints = listen(page)
        for address in addresses_of(who):
            path = path_of(address, TABLE[address], world)
            page.emulate_media(color_scheme=scheme)
            answer = page.goto(path, wait_until="load")
            if answer.status != 200 or urlsplit(page.url).path != path:
                wrong.append(f"{path} answers {answer.status} and leads to {page.url}")
            wrong += examined(page, path) + what_sticks_out(page, path, scheme)
            other = "light" if scheme == "dark" else "dark"
            turn(page, other)
            wrong += what_sticks_out(page, path, other)
        wrong += complaints
        context.close()
    assert not wrong, "\n".join(sorted(set(wrong)))


def turn(page: Page, scheme: str) -> None:
    """Make the page that is open light or dark. unfold looks at what the browser prefers only when a page opens."""
    page.emulate_media(color_scheme=scheme)
    page.evaluate("is_dark => document.documentElement.classList.toggle('dark', is_dark)", scheme == "dark")


def what_sticks_out(page: Page, path: str, scheme: str) -> list[str]:
    """A complaint if the page that is open can be scrolled sideways."""
    over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    width = page.viewport_size["width"]
    return [f"{path} sticks out by {over} px at {width} px in the {scheme}"] if over > 0 else []


def examined(page: Page, path: str, but_for: Collection[str] = ()) -> list[str]:
    """What axe finds on the page that is open, `but_for` some rules."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{path}: {each['id']}: {node['html'][:120]} {[check['message'] for check in node['any']]}"
        for each in found
        if each["id"] not in but_for
        for node in each["nodes"][:6]
    ]
