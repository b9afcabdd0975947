"""The third net: every page of the site is valid HTML, its links lead somewhere, and it asks the database little.

Pages are those of `tests/access.py` that somebody gets with 200. What they look like in a browser: `test_pages_browser.py`.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest
from django.contrib.staticfiles import finders
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from justhtml import JustHTML

from tests.access import TABLE, WHO
from tests.html_balance import Balance
from tests.test_permissions import asked, path_of
from tests.world import build_world, client_of, fill_world

pytestmark = pytest.mark.django_db
LOOKERS = ("visitor", "alice", "super")
CEILINGS = Path(__file__).with_name("query_ceilings.json")
# Where a link may lead that is no page: kept by the browser, or by the hub, or by static files.
ELSEWHERE = re.compile(r"(mailto:|tel:|data:|https?://(?!testserver/)|/live/)")
BUTTONS = {"form": "action", "a": "href", "link": "href", "script": "src", "img": "src", "iframe": "src"}


def pages(who: str) -> Iterator[tuple[str, str]]:
    """(address in the table, path) of each that `who` gets; builds the world."""
    world = build_world()
    position = WHO.index(who)
    for address, row in TABLE.items():
        if row.get[position] in ".*":
            yield address, path_of(address, row, world)


def html_of(answer) -> str | None:
    """The text of a page; None for what is none."""
    if answer.status_code != 200 or not answer.get("Content-Type", "").startswith("text/html"):
        return None
    return answer.content.decode()


@pytest.mark.parametrize("who", LOOKERS)
def test_every_page_is_valid_html(who):
    client, wrong, looked_at = None, [], 0
    for _address, path in pages(who):
        client = client or client_of(who)
        text = html_of(asked(client, "get", path))
        if text is None:
            continue
        looked_at += 1
        wrong += faults_of(path, text)
    assert looked_at > 15
    assert not wrong, "\n".join(wrong)


def faults_of(path: str, text: str) -> list[str]:
    """What is wrong with a page's HTML."""
    parsed = JustHTML(text, collect_errors=True, sanitize=False)
    ids = Counter(node.attrs["id"] for node in parsed.query("[id]"))
    return [
        *(f"{path} line {error.line}: {error.message}" for error in parsed.errors),
        *(f"{path} {fault}" for fault in Balance(text).faults),
        *(f"{path}: {count} elements have the id {name}" for name, count in ids.items() if count > 1),
        *(f"{path}: a label for {name}, which isn't there" for name in labels(parsed) - set(ids)),
    ]


def labels(parsed: JustHTML) -> set[str]:
    """The ids that labels and the like point to."""
    found = {node.attrs["for"] for node in parsed.query("label[for]")}
    for name in ("aria-labelledby", "aria-describedby", "aria-controls"):
        for node in parsed.query(f"[{name}]"):
            found |= set((node.attrs[name] or "").split())
    return found - {""}


@pytest.mark.parametrize("who", LOOKERS)
def test_every_link_leads_somewhere(who):
    client, wrong = None, []
    known: dict[str, bool] = {}
    for address, path in pages(who):
        client = client or client_of(who)
        text = html_of(asked(client, "get", path))
        if text is None or address == "dev/components/":  # its samples lead nowhere
            continue
        wrong += dead_links(client, path, text, known)
    assert len(known) > 15
    assert not wrong, "\n".join(sorted(set(wrong)))


SORTED = re.compile(r"(?<=[?&])o=[-.\d]*")


def dead_links(client: Client, path: str, text: str, known: dict[str, bool]) -> list[str]:
    """What the page refers to and isn't there; `known` keeps what was asked for."""
    parsed, wrong = JustHTML(text, sanitize=False), []
    for tag, attribute in BUTTONS.items():
        for node in parsed.query(f"{tag}[{attribute}]"):
            target, fragment = urldefrag(urljoin(path, node.attrs[attribute] or ""))
            if ELSEWHERE.match(target):
                continue
            if fragment and target == path and fragment != "top" and not parsed.query(f'[id="{fragment}"]'):
                wrong.append(f"{path} links to #{fragment}, which isn't on it")
            kind = SORTED.sub("", target)  # a list sorted by one column stands for it sorted by any
            if kind not in known:
                known[kind] = is_there(client, target)
            if not known[kind]:
                wrong.append(f"{path} links to {target}")
    return wrong


def is_there(client, target: str) -> bool:
    """Whether an address of ours answers: with a page, a way on, or that it wants to be posted to."""
    path = urlsplit(target).path
    if path.startswith("/static/"):
        return finders.find(path.removeprefix("/static/")) is not None
    return asked(client, "get", target).status_code in (200, 301, 302, 405)


@pytest.mark.parametrize("who", LOOKERS)
def test_no_page_asks_more_of_the_database_than_it_used_to(who):
    """The figures are in `tests/query_ceilings.json`. Where a page needs more, or learnt to need less, write them anew:

    FAIRGROUND_WRITE_CEILINGS=1 pytest -n 0 tests/test_pages.py -k database
    """
    counted: dict[str, int] = {}
    client = None
    for address, path in pages(who):
        client = client or client_of(who)
        if (count := queries_of(client, path)) is not None:
            counted[address] = count
    ceilings = json.loads(CEILINGS.read_text())
    if os.environ.get("FAIRGROUND_WRITE_CEILINGS"):
        ceilings[who] = counted
        CEILINGS.write_text(json.dumps(ceilings, indent=1, sort_keys=True) + "\n")
    missing = sorted(set(counted) - set(ceilings.get(who, {})))
    assert missing == [], "write the figures of these anew"
    above = {
        address: f"{count} queries, {ceilings[who][address]} before"
        for address, count in counted.items()
        if count > ceilings[who][address]
    }
    assert above == {}


def queries_of(client: Client, path: str) -> int | None:
    """How many queries the page makes; None where there is no page."""
    asked(client, "get", path)  # what a process learns once is learnt
    cache.clear()
    with CaptureQueriesContext(connection) as captured:
        answer = asked(client, "get", path)
    if answer.status_code != 200:
        return None
    return sum("SAVEPOINT" not in query["sql"] for query in captured)


@pytest.mark.parametrize("who", LOOKERS)
def test_no_list_asks_more_where_it_has_more_rows(who):
    """The ceilings can't tell: they are counted in a small world, where a query for each row may have been one."""
    world, client, position = build_world(), client_of(who), WHO.index(who)
    lists = {
        address: path_of(address, row, world)
        for address, row in TABLE.items()
        if row.get[position] == "." and not row.ids
    }
    fill_world([1])  # some lists are empty without
    before = {address: queries_of(client, path) for address, path in lists.items()}
    fill_world([2, 3, 4])
    after = {address: queries_of(client, path) for address, path in lists.items()}
    more = {
        address: f"{after[address]} queries, {before[address]} with fewer rows"
        for address in lists
        if (after[address] or 0) > (before[address] or 0)
    }
    assert more == {}
