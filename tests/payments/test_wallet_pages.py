"""The member's wallet: own only, by unit and days, page by page, as CSV, and receipts."""

import csv
import datetime as dt
import io
import re
import uuid
from collections.abc import Callable, Collection, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from payments import subjects
from payments.ledger import post_many
from payments.models import LedgerEntry, Posting
from tests.factories import admin, alice, bob, carol
from tests.payments.books import NOW, give, move, spec, wallet, world

pytestmark = pytest.mark.django_db


@pytest.fixture
def hers(client: Client) -> Client:
    """Alice, signed in."""
    client.force_login(alice())
    return client


@pytest.fixture
def named_subjects() -> Iterator[None]:
    """Things of the sort `tests.case`, which another app would name."""

    def name(ids: Collection[str]) -> dict[str, subjects.Subject]:
        return {
            each: subjects.Subject(f"Case <{each}>", f"/case/{each}/") for each in ids if each != "secret"
        }

    subjects.register_subjects("tests.case", name)
    yield
    subjects._namers.pop("tests.case")


def page(client: Client, query: str = "", status: int = 200) -> str:
    response = client.get(f"/wallet/{query}")
    assert response.status_code == status
    return response.content.decode()


def amounts(html: str) -> list[str]:
    """What stands in the column of amounts."""
    return re.findall(r'data-label="Amount"><span class="money">([^<]+)<', html)


def rows(client: Client, query: str = "") -> list[list[str]]:
    response = client.get(f"/wallet/statement.csv{query}")
    assert response.status_code == 200
    text = b"".join(response.streaming_content).decode()
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))


def many(user: User, count: int, unit: str = "KES") -> list[LedgerEntry]:
    """`count` entries of 1, 2, 3 … whole units into the wallet, one an hour."""
    each = 100 if unit == "KES" else 1
    return [
        give(user, n * each, unit, now=NOW + dt.timedelta(hours=n), about=f"tests.case:{n}")
        for n in range(1, count + 1)
    ]


@pytest.mark.parametrize(
    "path", ["/wallet/", "/wallet/statement.csv", f"/wallet/receipts/{uuid.UUID(int=1)}/"]
)
def test_it_is_for_those_who_are_signed_in(client: Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("path", ["/wallet/", "/wallet/statement.csv"])
def test_it_is_only_looked_at(hers: Client, path: str) -> None:
    assert hers.post(path).status_code == 405


def test_an_empty_wallet_says_what_will_come(hers: Client) -> None:
    assert "Nothing in it yet" in page(hers)


def test_it_shows_balances_by_unit_and_the_statement_of_one(hers: Client) -> None:
    give(alice(), 125_000)
    move(wallet(alice()), wallet(bob()), 5_000)
    give(alice(), 40, "CREDIT")
    html = page(hers, "?unit=KES")
    assert "KES 1,200.00" in html
    assert "40 credits" in html
    assert amounts(html) == ["−KES 50.00", "+KES 1,250.00"]
    assert amounts(page(hers, "?unit=CREDIT")) == ["+40 credits"]


def test_each_line_shows_the_balance_after_it(hers: Client) -> None:
    many(alice(), 3)
    balances = re.findall(r'data-label="Balance"><span class="money">([^<]+)<', page(hers))
    assert balances == ["KES 6.00", "KES 3.00", "KES 1.00"]


def test_the_first_wallet_that_holds_something_is_shown_first(hers: Client) -> None:
    wallet(alice(), "CREDIT")
    give(alice(), 100)
    assert "Statement: KES" in page(hers)


def test_nobody_sees_anothers_money(hers: Client) -> None:
    give(bob(), 777_700)
    give(bob(), 5, "USD")
    give(alice(), 100)
    html = page(hers, "?unit=USD")
    assert "7,777" not in html
    assert "Statement: KES" in html
    assert "Select a valid choice" in html
    assert hers.get("/wallet/statement.csv?unit=USD").status_code == 404
    assert len(rows(hers, "?unit=KES")) == 2


def test_days_are_days_where_the_member_lives(hers: Client) -> None:
    """Alice lives in Nairobi, three hours ahead: 22 November begins there at 21:00 UTC."""
    for hour, minute, amount in ((20, 59, 100), (21, 0, 200)):
        give(alice(), amount, now=dt.datetime(2026, 11, 21, hour, minute, tzinfo=dt.UTC))
    assert amounts(page(hers, "?last=2026-11-21")) == ["+KES 1.00"]
    assert amounts(page(hers, "?first=2026-11-22&last=2026-11-22")) == ["+KES 2.00"]
    assert [row[3] for row in rows(hers, "?first=2026-11-22")[1:]] == ["2.00"]
    assert amounts(page(hers, "?first=2026-11-22&last=9999-12-31")) == ["+KES 2.00"]


def test_a_day_of_twenty_five_hours_is_shown_whole(client: Client) -> None:
    """In Toronto 1 November 2026 has one hour twice."""
    client.force_login(carol())
    times = [dt.datetime(2026, 11, 1, 4, 0, tzinfo=dt.UTC), dt.datetime(2026, 11, 2, 4, 59, tzinfo=dt.UTC)]
    for amount, now in enumerate(times, start=1):
        give(carol(), amount * 100, now=now)
    give(carol(), 900, now=times[0] - dt.timedelta(seconds=1))
    give(carol(), 900, now=times[1] + dt.timedelta(minutes=1))
    html = client.get(
        "/wallet/?first=2026-11-01&last=2026-11-01", headers={"Accept-Language": "en"}
    ).content.decode()
    assert amounts(html) == ["+KES 2.00", "+KES 1.00"]


@pytest.mark.parametrize(
    "query", ["?first=yesterday", "?first=2026-11-22&last=2026-11-21", "?last=2026-02-30"]
)
def test_wrong_days_are_said_and_the_statement_stays(hers: Client, query: str) -> None:
    give(alice(), 100)
    html = page(hers, query)
    assert "field__error" in html
    assert amounts(html) == ["+KES 1.00"]
    assert hers.get(f"/wallet/statement.csv{query}").status_code == 404


def test_days_without_movement_say_so(hers: Client) -> None:
    give(alice(), 100)
    assert "Nothing that you chose has moved." in page(hers, "?first=2020-01-01&last=2020-01-02")


def test_it_pages_through_all_of_it_and_back(hers: Client) -> None:
    many(alice(), 60)
    html, seen = page(hers), []
    while True:
        seen.append(amounts(html))
        older = re.search(r'rel="next" href="([^"]+)"', html)
        if not older:
            break
        html = page(hers, older[1].replace("&amp;", "&"))
    assert [len(lines) for lines in seen] == [25, 25, 10]
    assert [line for lines in seen for line in lines] == [f"+KES {n}.00" for n in range(60, 0, -1)]
    newer = re.search(r'rel="prev" href="([^"]+)"', html)
    assert newer
    html = page(hers, newer[1].replace("&amp;", "&"))
    assert amounts(html) == seen[1]
    newer = re.search(r'rel="prev" href="([^"]+)"', html)
    assert newer
    html = page(hers, newer[1].replace("&amp;", "&"))
    assert amounts(html) == seen[0]
    assert 'rel="prev"' not in html


def test_pages_keep_the_filter(hers: Client) -> None:
    many(alice(), 60)
    html = page(hers, "?first=2026-11-22")
    link = re.search(r'rel="next" href="([^"]+)"', html)
    assert link
    assert "first=2026-11-22" in link[1]
    assert "unit=KES" in link[1]


@pytest.mark.parametrize("query", ["?before=x", "?after=-1", "?before=", f"?before={'9' * 40}", "?after=²"])
def test_a_place_that_is_none_shows_the_newest(hers: Client, query: str) -> None:
    many(alice(), 2)
    assert len(amounts(page(hers, query))) == 2


def test_it_says_what_each_entry_is_about(hers: Client, named_subjects: None) -> None:
    give(alice(), 100, kind="prize.paid", about="tests.case:7")
    give(alice(), 100, kind="prize.paid", about="tests.case:secret")
    give(alice(), 100, kind="odd_things.seen", about="nobody.knows:1")
    html = page(hers)
    assert 'Prize won: <a href="/case/7/">Case &lt;7&gt;</a>' in html
    assert "secret" not in html
    assert "Odd things seen" in html


def test_queries_do_not_grow_with_lines_or_wallets(hers: Client, named_subjects: None) -> None:
    many(alice(), 2)
    with CaptureQueriesContext(connection) as few:
        page(hers)
    many(alice(), 22, "CREDIT")
    post_many(
        [spec((world(), -1), (wallet(alice()), 1), about=f"tests.case:{n}") for n in range(40)], now=NOW
    )
    with CaptureQueriesContext(connection) as several:
        page(hers)
    assert len(several) == len(few)


def test_the_csv_is_the_statement_oldest_first(hers: Client, named_subjects: None) -> None:
    give(alice(), 125_000, kind="prize.paid", about="tests.case:7")
    spent = move(wallet(alice()), wallet(bob()), 5_050)
    give(alice(), 9, "CREDIT")
    response = hers.get("/wallet/statement.csv?unit=KES")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(
        r'attachment; filename="wallet-KES-\d{4}-\d\d-\d\d.csv"', response.headers["Content-Disposition"]
    )
    header, first, second = rows(hers, "?unit=KES")
    assert header == ["Time", "What", "About", "Amount", "Balance", "Unit", "Receipt", "Reason"]
    assert first[:6] == ["2026-11-21 12:30:00+03:00", "Prize won", "Case <7>", "1250.00", "1250.00", "KES"]
    assert second[3:-1] == ["-50.50", "1199.50", "KES", str(spent.public_id)]


def test_the_csv_of_a_long_statement_comes_in_pieces(hers: Client, named_subjects: None) -> None:
    count = 1_203
    post_many(
        [spec((world(), -100), (wallet(alice()), 100), about="tests.case:1") for _ in range(count)], now=NOW
    )
    response = hers.get("/wallet/statement.csv")
    pieces = list(response.streaming_content)
    assert len(pieces) == 4  # the header, and 500 lines at a time
    assert len(b"".join(pieces).decode().splitlines()) == count + 1


class TestReasons:
    """What staff did to the wallet by hand, and why, is for its owner to read."""

    WHY = "=Charged twice <by mistake>"

    @pytest.mark.parametrize("kind", ["wallet.adjusted", "prize.taken_back"])
    def test_the_reason_stands_on_statement_receipt_and_csv(self, hers: Client, kind: str) -> None:
        entry = give(alice(), 500, kind=kind, reason=self.WHY)
        shown = "=Charged twice &lt;by mistake&gt;"
        assert shown in page(hers)
        assert shown in hers.get(f"/wallet/receipts/{entry.public_id}/").content.decode()
        assert rows(hers)[1][-1] == f"'{self.WHY}"

    def test_reasons_meant_for_staff_stay_with_staff(self, hers: Client) -> None:
        give(alice(), 500, kind="prize.paid", reason="known to staff only")
        assert "known to staff only" not in page(hers)
        assert rows(hers)[1][-1] == ""


class TestKinds:
    """The statement by what happened."""

    @pytest.fixture(autouse=True)
    def _two_kinds(self) -> None:
        give(alice(), 500, kind="wallet.adjusted", reason="Goodwill")
        give(alice(), 1_000, kind="prize.paid")
        give(alice(), 3, "CREDIT", kind="prize.claimed")

    def test_only_what_was_chosen_is_shown(self, hers: Client) -> None:
        assert amounts(page(hers, "?unit=KES&kind=prize.paid")) == ["+KES 10.00"]
        assert amounts(page(hers, "?unit=KES&kind=")) == ["+KES 10.00", "+KES 5.00"]

    def test_the_csv_holds_the_same(self, hers: Client) -> None:
        html = page(hers, "?unit=KES&kind=prize.paid")
        assert "/wallet/statement.csv?unit=KES&amp;kind=prize.paid" in html
        assert [row[3] for row in rows(hers, "?unit=KES&kind=prize.paid")[1:]] == ["10.00"]

    def test_the_kinds_of_this_wallet_are_offered_and_no_others(self, hers: Client) -> None:
        html = page(hers, "?unit=KES")
        offered = re.findall(r'<option value="([a-z]+\.[a-z_]+)"', html)
        assert offered == ["wallet.adjusted", "prize.paid"]

    def test_a_kind_that_another_wallet_has_is_left_out_when_the_unit_changes(self, hers: Client) -> None:
        assert amounts(page(hers, "?unit=CREDIT&kind=prize.paid")) == ["+3 credits"]

    def test_the_next_page_keeps_the_kind(self, hers: Client) -> None:
        kind = many(alice(), 30)[0].kind
        html = page(hers, f"?unit=KES&kind={kind}")
        assert re.search(r'href="\?unit=KES&amp;kind=[a-z._]+&amp;before=', html)


def test_names_from_elsewhere_are_defused_in_the_csv(hers: Client) -> None:
    subjects.register_subjects(
        "tests.evil", lambda ids: {each: subjects.Subject("=HYPERLINK(1)") for each in ids}
    )
    try:
        give(alice(), 100, about="tests.evil:1")
        assert rows(hers)[1][2] == "'=HYPERLINK(1)"
    finally:
        subjects._namers.pop("tests.evil")


def test_a_receipt_shows_the_entry(hers: Client, named_subjects: None) -> None:
    entry = give(alice(), 125_000, kind="prize.paid", about="tests.case:7", reason="known to staff only")
    html = hers.get(f"/wallet/receipts/{entry.public_id}/").content.decode()
    for text in (
        "Prize won",
        "Case &lt;7&gt;",
        "+KES 1,250.00",
        str(entry.public_id),
        "alice@example.com",
        "data-print",
    ):
        assert text in html
    assert "known to staff only" not in html
    assert "world:" not in html
    assert str(entry.public_id) in page(hers)


def test_a_receipt_shows_only_ones_own_side(hers: Client) -> None:
    give(bob(), 10_000)
    entry = move(wallet(bob()), wallet(alice()), 2_500)
    html = hers.get(f"/wallet/receipts/{entry.public_id}/").content.decode()
    assert "+KES 25.00" in html
    assert "75.00" not in html
    assert "bob@example.com" not in html


def test_anothers_receipt_is_not_found(hers: Client) -> None:
    entry = give(bob(), 10_000)
    assert hers.get(f"/wallet/receipts/{entry.public_id}/").status_code == 404
    assert hers.get(f"/wallet/receipts/{uuid.uuid4()}/").status_code == 404
    hers.force_login(admin())
    assert hers.get(f"/wallet/receipts/{entry.public_id}/").status_code == 404


def test_nothing_of_it_is_kept_by_caches(hers: Client) -> None:
    entry = give(alice(), 100)
    for path in ("/wallet/", "/wallet/statement.csv", f"/wallet/receipts/{entry.public_id}/"):
        assert "no-store" in hers.get(path).headers["Cache-Control"]


def test_the_pages_keep_to_the_content_security_policy(hers: Client) -> None:
    entry = give(alice(), 100)
    for path in ("/wallet/", f"/wallet/receipts/{entry.public_id}/"):
        html = hers.get(path).content.decode()
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", html)
        assert len(re.findall(r"<h1[ >]", html)) == 1


def test_looking_changes_nothing(hers: Client, django_assert_num_queries: Callable[..., Any]) -> None:
    many(alice(), 3)
    page(hers)
    rows(hers)
    assert Posting.objects.count() == 6
