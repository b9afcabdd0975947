"""The suppression list and what people want, in the admin."""

import pytest
from django.test import Client

from accounts import roles
from audit.models import Record
from notifications.models import ConsentEvent, Preference, Suppression
from tests.factories import admin, alice, make_user
from tests.notifications.outbox import NOW

pytestmark = pytest.mark.django_db
LIST = "/admin/notifications/suppression/"


@pytest.fixture
def staff(client) -> Client:
    client.force_login(admin())
    return client


def suppress(client: Client, **changes):
    data = {"address": "Gone@Example.org", "channel": "email", "note": "Case 12", **changes}
    return client.post(f"{LIST}add-address/", data)


def test_staff_stop_all_messages_to_an_address_and_let_them_through_again(staff):
    assert suppress(staff).status_code == 302
    row = Suppression.objects.get()
    assert (row.address, row.reason, row.suppressed_by) == ("gone@example.org", "manual", admin())
    page = staff.get(f"{LIST}{row.pk}/change/").content.decode()
    assert "nothing goes there" in page
    assert "(&#x27;on&#x27;" not in page
    assert "Case 12" in page
    assert staff.post(f"{LIST}{row.pk}/lift/", {"note": ""}).status_code == 200
    assert staff.post(f"{LIST}{row.pk}/lift/", {"note": "Case 13"}).status_code == 302
    row.refresh_from_db()
    assert (row.lifted_by, row.lift_note) == (admin(), "Case 13")
    trail = Record.objects.filter(target=f"notifications.suppression:{row.pk}").order_by("pk")
    assert [(act.actor, act.action) for act in trail] == [
        (admin(), "notification.suppressed"),
        (admin(), "notification.suppression_lifted"),
    ]


def test_a_refused_form_keeps_what_was_typed(staff):
    page = suppress(staff, note="").content.decode()
    assert 'value="Gone@Example.org"' in page
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("term", ["gone@example.org", " GONE@example.ORG"])
@pytest.mark.parametrize("is_erased", [False, True])
def test_an_address_is_found_also_when_it_is_erased(staff, term, is_erased):
    suppress(staff)
    suppress(staff, address="other@example.org")
    if is_erased:
        Suppression.objects.update(address="")
    page = staff.get(LIST, {"q": term}).content.decode()
    found = Suppression.objects.order_by("pk")
    assert f"{LIST}{found[0].pk}/change/" in page
    assert f"{LIST}{found[1].pk}/change/" not in page


def test_a_persons_preferences_and_history_are_found_by_address(staff):
    for key in (f"member:{alice().pk}", "email:zoe@elsewhere.example"):
        Preference.objects.create(
            person_key=key, kind="test.mail", channel="email", is_on=False, changed_at=NOW
        )
        ConsentEvent.objects.create(person_key=key, at=NOW, what="stopped", source="x", evidence={"a": "b"})
    for table in ("preference", "consentevent"):
        base = f"/admin/notifications/{table}/"
        assert "zoe@elsewhere.example" in staff.get(base).content.decode()
        for term in ("alice@example.com", str(alice().public_id)):
            page = staff.get(base, {"q": term}).content.decode()
            assert "alice@example.com" in page
            assert "zoe@elsewhere.example" not in page
    line = ConsentEvent.objects.first()
    page = staff.get(f"/admin/notifications/consentevent/{line.pk}/change/").content.decode()
    assert "&quot;a&quot;" in page
    changed = staff.post(f"/admin/notifications/consentevent/{line.pk}/change/", {"what": "agreed"})
    assert changed.status_code == 404


def test_support_may_and_finance_may_not(client):
    for role, status in ((roles.SUPPORT_LEAD, 302), (roles.FINANCE, 404)):
        client.force_login(make_user(role=role, is_staff=True))
        assert suppress(client, address=f"{status}@example.org").status_code == status
    assert Suppression.objects.get().address == "302@example.org"
