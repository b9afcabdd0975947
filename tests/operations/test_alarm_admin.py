"""Alarms in the admin: on its home while something is wrong, with their history, and a look at once."""

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts import roles
from config.models import Alarm
from config.operations import alarms, signs
from config.operations.troubles import Trouble
from tests.factories import admin, make_user

TROUBLE = Trouble(key="beat", title="Beat is silent", mend="Start it.", detail="Since noon.", page="/admin/")


@pytest.fixture
def boss(client, healthy):
    client.force_login(admin())
    return client


def panels(client) -> dict[str, list]:
    return {panel.title: panel.rows for panel in client.get("/admin/").context["panels"]}


def machinery(client) -> dict[str, str]:
    return {row.title: row.tone for row in client.get("/admin/").context["machinery"]}


def test_an_open_alarm_is_the_first_thing_on_the_home_and_leads_to_its_page(boss):
    assert "Alarms" not in panels(boss)
    alarms.keep_in_step(troubles=[TROUBLE], now=timezone.now())
    shown = panels(boss)
    assert next(iter(shown)) == "Alarms"
    [row] = shown["Alarms"]
    page = boss.get(row.href).content.decode()
    for words in ("Beat is silent", "Since noon.", "Start it.", "began"):
        assert words in page
    alarms.keep_in_step(troubles=[], now=timezone.now())
    assert "Alarms" not in panels(boss)
    assert "Beat is silent" in boss.get(reverse("admin:config_alarm_changelist")).content.decode()


def test_the_home_says_whether_workers_and_the_ledger_are_well(boss, healthy, settings):
    assert machinery(boss)["Workers of “bulk”"] == "good"
    assert machinery(boss)["Ledger"] == "wait", "not checked yet"
    signs.note(name="ledger", now=timezone.now(), faults=0)
    assert machinery(boss)["Ledger"] == "good"
    signs.note(name="ledger", now=timezone.now(), faults=2)
    healthy(workers_ago=settings.WORKER_LATE_SECONDS + 1)
    assert machinery(boss)["Ledger"] == "bad"
    assert machinery(boss)["Workers of “bulk”"] == "bad"
    healthy(beat_ago=9999, workers_ago=9999)
    assert machinery(boss)["Workers of “bulk”"] == "wait", "who gets no jobs can't be heard of"


def test_looking_now_raises_what_is_wrong(boss, healthy, settings):
    healthy(beat_ago=9999)
    answer = boss.post(reverse("admin:config_alarm_look_now"), {"_form_submitted": "on"})
    assert answer.status_code == 200
    assert Alarm.objects.open().get().key == "beat"


@pytest.mark.parametrize("role", [roles.FINANCE, roles.SUPPORT_LEAD])
def test_who_does_not_run_the_site_sees_none(client, healthy, role):
    client.force_login(make_user(role=role, is_staff=True))
    alarms.keep_in_step(troubles=[TROUBLE], now=timezone.now())
    assert "Alarms" not in panels(client)
    assert client.get(reverse("admin:config_alarm_changelist")).status_code in (302, 403, 404)
