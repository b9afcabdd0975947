"""The first net: every address of the site, asked by everybody. A new address without a row in `tests/access.py` fails."""

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.access import NOBODYS_OWN, PASSED_OVER, TABLE, WHO, Row
from tests.world import World, build_world, client_of


def addresses(patterns: list[Any] | None = None, prefix: str = "") -> Iterator[str]:
    """Every address that the resolver knows, as it is written in the tables of the apps."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, prefix + str(pattern.pattern))
        elif isinstance(pattern, URLPattern):
            address = prefix + str(pattern.pattern)
            if not address.startswith(PASSED_OVER):
                yield address


def path_of(address: str, row: Row, world: World) -> str:
    """`address` with the things of the row in the place of its parameters."""
    names = dict(row.ids)

    def fill(match: re.Match[str]) -> str:
        return str(world.ids[names[match["name"]]])

    filled = re.sub(r"<(?:\w+:)?(?P<name>\w+)>", fill, re.sub(r"\(\?P(<\w+>)[^)]+\)", r"\1", address))
    return "/" + filled.replace("^", "").replace("$", "")


def letter_of(answer: Any, wanted: str) -> str:
    """The answer as a letter of the table; `wanted` decides between `.` and `*`, which both mean that one got in."""
    status = answer.status_code
    if status in (301, 302) and urlsplit(answer["Location"]).path in ("/accounts/login/", "/admin/login/"):
        return "s"
    if wanted == "?" and status < 500:
        return "?"
    known = {401: "1", 403: "3", 404: "-", 405: "5"}
    if status in known:
        return known[status]
    return "." if status == 200 and wanted == "." else "*" if status < 500 else str(status)


def asked(client: Client, method: str, path: str) -> Any:
    """The answer, with everything undone that it did."""
    cookies = client.cookies.copy()
    try:
        with transaction.atomic():
            answer = getattr(client, method)(path)
            b"".join(answer.streaming_content) if answer.streaming else answer.content
            transaction.set_rollback(True)
        return answer
    finally:
        client.cookies = cookies


def without_a_row(known: Iterable[str]) -> list[str]:
    """Addresses that the table doesn't know."""
    return sorted(set(known) - set(TABLE))


def test_every_address_has_a_row_and_every_row_an_address():
    known = set(addresses())
    assert without_a_row(known) == [], "give these a row in tests/access.py"
    assert set(TABLE) - known == set(), "these addresses are gone: take their rows out"


def without_swapped_id(table: dict[str, Row]) -> list[str]:
    """Addresses of things at which the table doesn't have Bob ask for what Alice alone may see."""
    alice, bob = WHO.index("alice"), WHO.index("bob")
    unasked = []
    for address, row in table.items():
        if not row.ids or address in NOBODYS_OWN:
            continue
        methods = [row.get] if f"post {address}" in NOBODYS_OWN else [row.get, row.post]
        if address.startswith("admin/"):
            is_asked = all(letters[1 : WHO.index("support")] in ("----", "5555") for letters in methods)
        else:
            hers = [letters for letters in methods if letters[alice] in ".*"]
            is_asked = bool(hers) and all(letters[bob] == "-" for letters in hers)
        if not is_asked:
            unasked.append(address)
    return unasked


def test_every_address_of_something_is_asked_with_somebody_elses():
    assert without_swapped_id(TABLE) == [], "give Bob `-` where Alice gets in, or say in NOBODYS_OWN why not"
    assert {each.removeprefix("post ") for each in NOBODYS_OWN} - set(TABLE) == set(), "these are gone"


def test_every_row_is_whole():
    letters = re.compile(r"[.*?s\-15]{9}")
    assert [address for address, row in TABLE.items() if not letters.fullmatch(row.get)] == []
    assert [address for address, row in TABLE.items() if not letters.fullmatch(row.post)] == []


@pytest.mark.django_db
@pytest.mark.parametrize("who", WHO)
def test_everybody_finds_what_is_theirs_and_nothing_else(who):
    world, client, position = build_world(), client_of(who), WHO.index(who)
    wrong = []
    for address, row in TABLE.items():
        path = path_of(address, row, world)
        for method, letters in (("get", row.get), ("post", row.post)):
            wanted = letters[position]
            try:
                letter = letter_of(asked(client, method, path), wanted)
            except Exception as error:  # say where, and go on to the others
                letter = repr(error)
            if letter != wanted:
                wrong.append(f"{method} {address}: {letter} instead of {wanted}")
    assert wrong == []
