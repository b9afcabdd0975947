"""What the admin's pages say: words and not what Python or the database calls them."""

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone

from accounts import roles
from accounts.privacy import person_at
from config.privacy import request_erasure
from payments.models import Posting
from tests.draws.factories import CASH, make_executed
from tests.factories import admin, alice, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(client):
    client.force_login(make_user(role=roles.SUPER_ADMIN, is_staff=True))
    return client


def shown(boss, name: str, *args: int) -> str:
    return boss.get(reverse(f"admin:{name}", args=args)).content.decode()


def test_an_erasure_says_its_state_in_a_word(boss):
    erasure = request_erasure(
        person=person_at("leaving@example.org"), by=admin(), reason="Case 1", now=timezone.now()
    )
    html = shown(boss, "accounts_erasure_change", erasure.pk)
    assert "Waiting" in html
    assert "(&#x27;" not in html


def test_a_role_lists_its_rights_by_what_they_are_about(boss):
    html = shown(boss, "auth_group_change", Group.objects.get(name=roles.SUPPORT_LEAD).pk)
    assert "<dt>People</dt>" in html
    assert "Can view person" in html
    assert "people | " not in html.lower()


def test_money_and_times_are_written_for_people(boss):
    make_executed(slug="done", members=[alice()], entrants=0, prizes=[CASH])
    posting = Posting.objects.filter(unit="KES", amount__gt=0).first()
    html = shown(boss, "payments_posting_change", posting.pk)
    assert f"{posting.amount:+} KES" not in html
    assert "+KES" in html
    assert "+00:00" not in html
    listed = shown(boss, "payments_posting_changelist")
    assert "p.m." not in listed
    assert "a.m." not in listed


def test_one_winner_is_one_winner(boss):
    draw = make_executed(slug="done", members=[alice()], entrants=0, prizes=[CASH])
    html = shown(boss, "draws_draw_change", draw.pk)
    assert "1 winner<" in html
    assert "1 ticket<" in html


def test_an_empty_list_advises_nobody_to_create_what_nobody_can(boss):
    html = shown(boss, "payments_refund_changelist")
    assert "Nothing here yet" in html
    assert "Create a new item" not in html
    html = boss.get(reverse("admin:payments_refund_changelist"), {"q": "x"}).content.decode()
    assert "Nothing matches" in html


def test_a_history_leads_to_the_trail(boss):
    person = alice()
    html = shown(boss, "accounts_user_history", person.pk)
    assert reverse("admin:audit_record_changelist") in html
