"""Fixtures of all tests. What they stand on: `plugin.py` (servers), `databases.py` (clones), `live.py` (the site).

| a test that …                                      | asks for                                   |
|----------------------------------------------------|--------------------------------------------|
| uses the ORM                                       | `db` or `@pytest.mark.django_db`: rolled back |
| has to commit: threads, `on_commit`, processes     | `cloned_db`: a database of its own         |
| runs something n times at once                     | `cloned_db` and `parallel`                 |
| talks to the real site                             | `live_site`                                |
| opens it in a browser                              | `live_site` and `page`                     |
| kills, pauses or empties Redis                     | `own_redis`, with its `url` for the site   |
| can run for a long time to find rare races         | `soak_rounds`, or `@pytest.mark.soak`      |
"""

import inspect
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis
from allauth.account.internal.flows.login import record_authentication
from django.conf import settings
from django.db import connection, connections
from django.http import HttpRequest
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from notifications import overrides
from payments import hooks
from tests import databases
from tests.live import LiveSite
from tests.own_redis import OwnRedis

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NO_TRANSACTIONAL_DB = (
    "The schema refuses TRUNCATE, with which transactional tests clean up: use the fixture `cloned_db` "
    "instead of transactional_db, live_server or django_db(transaction=True)."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--soak`: the long kill and storm runs."""
    parser.addoption("--soak", action="store_true", help="run only the soak tests, and with all their rounds")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark browser tests, and choose between the usual tests and the soak runs."""
    chosen, left = [], []
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "browser" in fixtures:
            item.add_marker("browser")
        is_soak = item.get_closest_marker("soak") is not None
        wanted = is_soak or "soak_rounds" in fixtures if config.option.soak else not is_soak
        (chosen if wanted else left).append(item)
    items[:] = chosen
    if left:
        config.hook.pytest_deselected(items=left)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse what can't work here in one sentence instead of an error of the database."""
    fixtures = set(getattr(item, "fixturenames", ()))
    marker = item.get_closest_marker("django_db")
    refused = {"transactional_db", "live_server", "django_db_reset_sequences"}
    if fixtures & refused or (marker and (marker.args or marker.kwargs.get("transaction"))):
        pytest.fail(NO_TRANSACTIONAL_DB, pytrace=False)
    if "cloned_db" in fixtures and (marker or "db" in fixtures):
        pytest.fail("`cloned_db` stands in for `db` and the mark django_db: use one of them.", pytrace=False)


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """The database of the tests that roll back, a clone like all others."""
    with django_db_blocker.unblock():
        databases.ensure_template()
        with databases.cloned() as name, databases.connected_to(name), django_db_blocker.block():
            yield


@pytest.fixture(autouse=True)
def _empty_redis() -> None:
    """Each test finds this worker's Redis database empty: no cached page, no used-up throttle."""
    _redis().flushdb()


@pytest.fixture(autouse=True)
def _no_words_of_another_test() -> None:
    """The words of staff that a process keeps for a moment are those of this test's database."""
    overrides.forget()


@pytest.fixture(autouse=True)
def _no_crowd_of_webhooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tests are one process, and each has its few events worked on before they are answered."""
    monkeypatch.setattr(hooks, "crowd", hooks.Crowd(per_s=0, burst=1_000_000))


@pytest.fixture(autouse=True)
def _forced_sign_ins_are_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """`client.force_login` is like signing in with the password just now; acts with money ask for that."""
    force = Client.force_login

    def force_login(self: Client, user: Any, backend: str | None = None) -> None:
        force(self, user, backend)
        request = HttpRequest()
        request.session = self.session
        request.user = user
        record_authentication(request, user, "password")
        request.session.save()

    monkeypatch.setattr(Client, "force_login", force_login)


@dataclass(frozen=True)
class ClonedDatabase:
    """A database of one test's own; `url` and `env` are for subprocesses."""

    name: str
    env: dict[str, str] = field(repr=False)

    @property
    def url(self) -> str:
        """Address for psycopg and for `DATABASE_URL`."""
        return self.env["DATABASE_URL"]


@pytest.fixture
def cloned_db(django_db_setup: None, django_db_blocker: Any, tmp_path: Path) -> Iterator[ClonedDatabase]:
    """A fresh migrated database with real commits; `on_commit` functions run, other connections see the rows."""
    with django_db_blocker.unblock(), databases.cloned() as name, databases.connected_to(name):
        yield ClonedDatabase(name, databases.environment(name, tmp_path / "data"))


@dataclass
class Outcomes:
    """What came of n runs: `results` of those that returned and `errors` of those that raised, in order."""

    results: list[Any] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)


@pytest.fixture
def parallel(cloned_db: ClonedDatabase) -> Callable[..., Outcomes]:
    """`parallel(work, n)`: run `work()`, or `work(index)`, in n threads at the same moment.

    Each thread has a connection of its own, open before all start at one barrier, and closed at its end.
    """

    def run(work: Callable[..., Any], n: int, *, seconds: float = 120) -> Outcomes:
        takes_index = bool(inspect.signature(work).parameters)
        barrier = threading.Barrier(n)
        returned: dict[int, Any] = {}
        raised: dict[int, BaseException] = {}

        def one(index: int) -> None:
            try:
                try:
                    connection.ensure_connection()
                except BaseException:
                    barrier.abort()  # the others wait in vain
                    raise
                barrier.wait(seconds)
                returned[index] = work(index) if takes_index else work()
            except BaseException as error:
                raised[index] = error
            finally:
                connections.close_all()

        threads = [threading.Thread(target=one, args=(index,), daemon=True) for index in range(n)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(seconds)
        stuck = sum(thread.is_alive() for thread in threads)
        assert not stuck, f"{stuck} of {n} threads still run after {seconds} s: a deadlock?"
        return Outcomes([returned[i] for i in sorted(returned)], [raised[i] for i in sorted(raised)])

    return run


@pytest.fixture
def live_site(cloned_db: ClonedDatabase, tmp_path: Path) -> Iterator[LiveSite]:
    """The real site on a free port over `cloned_db`; `start_worker()`, `start_beat()`, `manage()` on demand."""
    site = LiveSite(cloned_db.env, tmp_path)
    try:
        site.start_web()
        yield site
    finally:
        site.stop()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    """A Valkey that the test may kill; nothing but the test uses it."""
    server = OwnRedis(tmp_path)
    yield server
    server.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, headless, for one module.

    Playwright's synchronous interface keeps an event loop running in this thread, in which Django refuses the
    ORM; nothing here is asynchronous, so it is allowed while the browser lives. Hence not for the whole session.
    """
    executable = find_chromium()
    if not executable:
        pytest.skip("no Chromium found: install it (apt install chromium) or set CHROMIUM to its path")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def browser_context(browser: Browser, live_site: LiveSite) -> Iterator[BrowserContext]:
    """A fresh browser profile; relative addresses lead to `live_site`."""
    context = browser.new_context(base_url=live_site.url, locale="en-GB", reduced_motion="reduce")
    yield context
    context.close()


@pytest.fixture
def page(browser_context: BrowserContext) -> Page:
    """An empty tab."""
    return browser_context.new_page()


@pytest.fixture
def page_errors(page: Page) -> list[str]:
    """Everything that goes wrong in `page`: console errors, uncaught exceptions, refused resources."""
    errors: list[str] = []

    def from_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(f"{page.url}: {message.text}")

    page.on("console", from_console)
    page.on("pageerror", lambda error: errors.append(f"{page.url}: {error}"))
    return errors


@pytest.fixture
def soak_rounds(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """`soak_rounds(few, many)`: how often to repeat, `few` usually and `many` in `make soak`."""
    return lambda few, many: many if request.config.option.soak else few


def find_chromium() -> str | None:
    """Path of a Chromium: `CHROMIUM`, or what is found in the usual places."""
    names = ("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def _redis() -> "redis.Redis":
    if not _clients:
        _clients.append(redis.Redis.from_url(settings.REDIS_URL))
    return _clients[0]


_clients: list["redis.Redis"] = []
