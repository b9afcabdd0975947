"""The ledger in the admin: for those whose role shows it, and never to be changed."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import roles
from payments.models import Account, LedgerEntry, Posting
from tests.factories import admin, alice, bob, make_user
from tests.payments.books import give, move, wallet, world

pytestmark = pytest.mark.django_db

LISTS = ("account", "ledgerentry", "posting")


@pytest.fixture
def staff(client: Client) -> Client:
    """The admin, signed in; Alice has got 500 and given Bob 120."""
    give(alice(), 50_000, idem_key="gift:1", reason="A start")
    move(wallet(alice()), wallet(bob()), 12_000, idem_key="gift:2", about="tests.case:2")
    client.force_login(admin())
    return client


def text(client: Client, path: str, **params: Any) -> str:
    response = client.get(f"/admin/payments/{path}", params)
    assert response.status_code == 200, response.status_code
    return response.content.decode()


@pytest.mark.parametrize("name", LISTS)
def test_finance_sees_it_and_others_do_not(client: Client, name: str) -> None:
    for role, status in (
        (roles.FINANCE, 200),
        (roles.SUPER_ADMIN, 200),
        (roles.SUPPORT_LEAD, 404),
        ("", 404),
    ):
        client.force_login(make_user(role=role, is_staff=True))
        assert client.get(f"/admin/payments/{name}/").status_code == status
    client.force_login(alice())
    assert client.get(f"/admin/payments/{name}/").status_code == 404


@pytest.mark.parametrize("model", [Account, LedgerEntry, Posting])
def test_nothing_can_be_added_changed_or_deleted_even_by_a_superuser(client: Client, model: Any) -> None:
    give(alice(), 100)
    client.force_login(make_user(is_staff=True, is_superuser=True))
    pk, name = model.objects.order_by("pk").first().pk, model._meta.model_name
    assert client.get(f"/admin/payments/{name}/add/").status_code == 404
    assert client.post(f"/admin/payments/{name}/{pk}/delete/", {"post": "yes"}).status_code == 404
    assert (
        client.post(f"/admin/payments/{name}/{pk}/change/", {"balance": 5, "reason": "x"}).status_code == 404
    )
    assert client.get(f"/admin/payments/{name}/{pk}/change/").status_code == 200
    assert model.objects.filter(pk=pk).exists()


def test_accounts_are_found_by_code_and_by_owner(staff: Client) -> None:
    assert "KES 380.00" in text(staff, "account/", q=f"member:{alice().pk}:")
    found = text(staff, "account/", q="bob@")
    assert wallet(bob()).code in found
    assert wallet(alice()).code not in found


def test_an_account_that_keeps_no_balance_shows_its_sum(staff: Client) -> None:
    assert "−KES 500.00" in text(staff, f"account/{world().pk}/change/")


@pytest.mark.parametrize("term", ["gift:2", "gift:", "tests.case:2"])
def test_entries_are_found_by_key_and_by_what_they_are_about(staff: Client, term: str) -> None:
    assert "gift:2" in text(staff, "ledgerentry/", q=term)


def test_entries_are_found_by_receipt_number(staff: Client) -> None:
    entry = LedgerEntry.objects.get(idem_key="gift:2")
    found = text(staff, "ledgerentry/", q=str(entry.public_id))
    assert "gift:2" in found
    assert "gift:1" not in found


def test_an_entry_shows_its_legs(staff: Client) -> None:
    html = text(staff, f"ledgerentry/{LedgerEntry.objects.get(idem_key='gift:2').pk}/change/")
    for each in (wallet(alice()).code, wallet(bob()).code, "−KES 120.00", "+KES 120.00", "KES 380.00"):
        assert each in html


def test_lists_can_be_filtered(staff: Client) -> None:
    give(alice(), 5, "CREDIT", kind="prize.paid", idem_key="gift:3")
    assert "gift:3" in text(staff, "ledgerentry/", kind="prize.paid")
    assert "gift:2" not in text(staff, "ledgerentry/", kind="prize.paid")
    assert ":KES" not in text(staff, "account/", unit="CREDIT").split("<tbody", 1)[1]
    html = text(staff, "posting/", account__id__exact=wallet(bob()).pk)
    assert wallet(bob()).code in html
    assert wallet(alice()).code not in html


@pytest.mark.parametrize("name", LISTS)
def test_queries_do_not_grow_with_rows(staff: Client, name: str) -> None:
    text(staff, f"{name}/")
    with CaptureQueriesContext(connection) as few:
        text(staff, f"{name}/")
    for _ in range(8):
        move(wallet(alice()), wallet(make_user()), 1)
    with CaptureQueriesContext(connection) as many:
        text(staff, f"{name}/")
    assert len(many) == len(few)
