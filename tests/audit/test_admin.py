"""The trail in the admin."""

import datetime as dt

import pytest
from django.db import connection

from accounts import roles
from audit.context import Origin, origin
from audit.models import Record, Seal
from audit.services import record, seal_new_records
from tests.audit.conftest import NOW, write
from tests.factories import admin, alice, bob, make_user

pytestmark = pytest.mark.django_db
RECORDS = "/admin/audit/record/"
SEALS = "/admin/audit/seal/"


@pytest.fixture
def staff(client):
    client.force_login(admin())
    return client


def did(person, action, target="thing:1", now=NOW) -> Record:
    return record(actor=person, action=action, target=target, data={"n": 1}, now=now)


def shown(response) -> set[Record]:
    assert response.status_code == 200
    return set(response.context["cl"].result_list)


@pytest.fixture
def three():
    return [
        did(alice(), "draw.executed", alice()),
        did(bob(), "draw.frozen", "draws.draw:9"),
        did(None, "message.sent"),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("alice@example.com", [0]),
        ("ALICE@", [0]),
        ("wanjiru", [0]),
        ("draw.", [0, 1]),
        ("draw.frozen", [1]),
        ("draws.draw:9", [1]),
        ("accounts.user:", [0]),
        ("thing:1", [2]),
        ("nobody", []),
        ("100%", []),
        ("draw_", []),
    ],
)
def test_search_finds_people_things_and_actions(staff, three, text, found):
    assert shown(staff.get(RECORDS, {"q": text})) == {three[i] for i in found}


def test_a_public_id_finds_what_its_owner_did_and_what_was_done_to_it(staff, three):
    other = did(bob(), "person.changed", alice())
    assert shown(staff.get(RECORDS, {"q": str(alice().public_id)})) == {three[0], other}


def test_filters_by_action(staff, three):
    response = staff.get(RECORDS, {"action": "draw.frozen"})
    assert shown(response) == {three[1]}
    assert Record.objects.actions() == ["draw.executed", "draw.frozen", "message.sent"]


def test_filters_by_day_in_the_zone_of_whoever_looks(client):
    early = did(None, "a.b", now=dt.datetime(2026, 11, 20, 20, 59, tzinfo=dt.UTC))
    late = did(None, "a.b", now=dt.datetime(2026, 11, 20, 21, 0, tzinfo=dt.UTC))
    client.force_login(admin())  # in Nairobi, three hours ahead
    assert shown(client.get(RECORDS, {"at_from": "2026-11-21"})) == {late}
    assert shown(client.get(RECORDS, {"at_to": "2026-11-20"})) == {early}
    assert shown(client.get(RECORDS, {"at_from": "2026-11-20", "at_to": "2026-11-21"})) == {early, late}
    assert shown(client.get(RECORDS, {"at_from": "not a day", "at_to": "2026-02-31"})) == {early, late}


def test_a_record_shows_where_it_came_from(staff):
    token = origin.set(Origin("request-77", "192.0.2.9", "Some <b>Browser</b>"))
    row = did(alice(), "draw.executed")
    origin.reset(token)
    page = staff.get(f"{RECORDS}{row.pk}/change/").content.decode()
    assert "request-77" in page
    assert "192.0.2.9" in page
    assert "<b>Browser" not in page
    assert staff.get(f"{RECORDS}{did(None, 'a.b').pk}/change/").status_code == 200


@pytest.mark.parametrize("address", [RECORDS, SEALS])
def test_nothing_can_be_added_changed_or_deleted(staff, address):
    row = did(alice(), "draw.executed")
    seal = seal_new_records(now=NOW)
    pk = row.pk if address == RECORDS else seal.pk
    assert staff.get(address).status_code == 200
    assert staff.get(f"{address}add/").status_code == 404
    assert staff.post(f"{address}{pk}/delete/", {"post": "yes"}).status_code == 404
    assert staff.post(f"{address}{pk}/change/", {"action": "x.y"}).status_code == 404
    page = staff.get(f"{address}{pk}/change/")
    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()
    staff.post(address, {"action": "delete_selected", "_selected_action": [pk], "post": "yes"})
    assert Record.objects.filter(pk=row.pk).exists()
    assert Seal.objects.filter(pk=seal.pk).exists()


def test_the_button_seals(staff):
    write(3)
    assert staff.get(f"{SEALS}seal-now/").status_code == 200
    assert not Seal.objects.exists()  # only asks
    response = staff.post(f"{SEALS}seal-now/", {"_form_submitted": "on"})
    assert response.headers["HX-Redirect"] == SEALS
    assert Seal.objects.get().count == 3
    assert "3 records sealed." in staff.get(SEALS).content.decode()


@pytest.mark.parametrize("address", [RECORDS, SEALS, f"{SEALS}seal-now/"])
def test_only_who_may_view_the_trail_sees_it(client, address):
    client.force_login(make_user(role=roles.SUPPORT_LEAD, is_staff=True))
    assert client.get(address).status_code == 404
    assert client.post(address, {"_form_submitted": "on"}).status_code == 404
    client.force_login(alice())
    assert client.get(address).status_code == 404
    client.logout()
    assert client.get(address).status_code == 302


def test_the_list_costs_the_same_however_many_rows(staff, django_assert_max_num_queries):
    for person in (alice(), bob(), *[make_user() for _ in range(10)]):
        did(person, "draw.executed")
    with django_assert_max_num_queries(8):
        staff.get(RECORDS)


@pytest.mark.parametrize("text", ["draw.frozen", "draws.draw:9", "alice@example.com"])
def test_search_goes_through_the_indexes(text):
    alice()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = Record.objects.search(text).explain()
    assert "Seq Scan" not in plan
    assert "audit_record_target" in plan
