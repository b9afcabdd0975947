"""Every page in a real browser: narrow and wide, light and dark, and by the rules of accessibility.

Nothing may be said on the console, no request may fail, no policy be broken, nothing stick out sideways. The pages
are those of `tests/access.py` that a visitor gets with 200.
"""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, Page, Response

from tests.access import ACCOUNTS, API, PAGES, STANDIN, TABLE, WHO
from tests.live import LiveSite
from tests.test_permissions import path_of
from tests.world import build_world, client_of

NARROW, WIDE = {"width": 360, "height": 740}, {"width": 1440, "height": 900}
# Wide pages are looked at in the light and narrow ones in the dark by axe; sizes and complaints in all four.
SCREENS = [(NARROW, "light", False), (NARROW, "dark", True), (WIDE, "light", True), (WIDE, "dark", False)]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
# What unfold does, which only unfold can mend; on pages of the admin alone.
UNFOLDS = {"color-contrast", "select-name", "label", "button-name", "link-name", "aria-required-parent"}
FILES = (
    ".csv",
    ".json",
    ".py",
    "/live/",
    "/html/",
    "/download/",
    "<str:key>/",
    "healthz",
    "readyz",
    "metrics",
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
        if row.get[position] == "."
        and name not in API
        and not name.endswith(FILES)
        and "seal-now" not in name
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


@pytest.mark.parametrize("who", ["visitor"])  # members and the admin are not in yet
def test_every_page_is_at_home_on_every_screen(live_site, browser, who):
    world = build_world()
    wrong: list[str] = []
    for size, scheme, is_examined in SCREENS:
        context = signed_in(browser, live_site, who, viewport=size, color_scheme=scheme)
        page = context.new_page()
        complaints = listen(page)
        for address in addresses_of(who):
            path = path_of(address, TABLE[address], world)
            page.goto(path, wait_until="load")
            over = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            if over > 0:
                wrong.append(f"{path} sticks out by {over} px at {size['width']} px")
            if is_examined:
                wrong += examined(page, path)
        wrong += complaints
        context.close()
    assert not wrong, "\n".join(sorted(set(wrong)))


def examined(page: Page, path: str) -> list[str]:
    """What axe finds on the page that is open."""
    found = Axe().run(page, options=RULES).response["violations"]
    allowed = UNFOLDS if path.startswith("/admin/") else set()
    return [
        f"{path}: {each['id']}: {node['html'][:120]}"
        for each in found
        if each["id"] not in allowed
        for node in each["nodes"][:3]
    ]
