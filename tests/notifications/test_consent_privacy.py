"""What becomes of wishes when somebody has a copy of their data, or has it erased."""

import pytest

from accounts.privacy import person_at
from notifications import privacy
from notifications.models import (
    ConsentEvent,
    Correspondent,
    Delivery,
    Preference,
    SkipReason,
    State,
    Stop,
    Suppression,
)
from notifications.quiet_hours import parse_quiet_hours
from notifications.services.preferences import save_preferences, stop_by_link
from notifications.services.sending import send_due_deliveries
from notifications.services.suppressions import suppress_address
from tests.factories import alice, bob
from tests.notifications.outbox import NOW, named, outsider, say

pytestmark = pytest.mark.django_db


def decide(who) -> None:
    message = say(recipients=[who], key=f"of {who.key}")
    stop_by_link(
        delivery=Delivery.objects.select_related("message").get(message=message, channel="email"),
        whole_kind=False,
        source="test",
        now=NOW,
    )
    save_preferences(
        who=who,
        offered=[("test.mail", "email")],
        wanted=[],
        promotions=True,
        quiet_hours=parse_quiet_hours("22:00-06:00"),
        source="test",
        now=NOW,
    )


def test_a_copy_holds_all_of_it_and_nobody_elses():
    for who in (named(alice()), named(bob()), outsider()):
        decide(who)
    for address in ("alice@example.com", "zoe@elsewhere.example"):
        wishes = privacy.export(person=person_at(address))["wishes"]
        assert [row["kind"] for row in wishes["preferences"]] == ["test.mail"]
        assert [row["about"] for row in wishes["stops"]] == ["test.thing:1"]
        assert len(wishes["quiet_hours"]) == 1
        assert [row["what"] for row in wishes["history"]].count("stopped") == 1
        assert len(wishes["history"]) == 4
        assert wishes["suppressed"] == []


@pytest.mark.parametrize("address", ["alice@example.com", "zoe@elsewhere.example"])
def test_an_erasure_takes_it_all_and_nobody_writes_there_again(smtp, address):
    for who in (named(alice()), outsider()):
        decide(who)
    person = person_at(address)
    key = f"member:{alice().pk}" if person.member else f"email:{address}"
    privacy.erase(person=person)
    privacy.erase(person=person)  # a job that was killed does it again
    for table in (Preference, Stop, Correspondent, ConsentEvent):
        assert not table.objects.filter(person_key=key).exists()
        assert table.objects.exists(), "the other's stay"
    assert ConsentEvent.objects.filter(person_key__startswith="erased:", evidence={}).count() == 4
    row = Suppression.objects.get()
    assert (row.address, row.reason) == ("", "erased")
    say("test.money", recipients=[outsider(address.split("@")[0])], key="later")
    Delivery.objects.filter(message__idem_key="later").update(address=address.upper())
    send_due_deliveries(now=NOW)
    late = Delivery.objects.get(message__idem_key="later")
    assert (late.state, late.skip_reason) == (State.SUPPRESSED, SkipReason.ERASED)


def test_a_suppressed_address_stays_suppressed_for_its_reason_when_it_is_erased():
    suppress_address(
        address="zoe@elsewhere.example", channel="email", reason="complaint", note="x", by=None, now=NOW
    )
    privacy.erase(person=person_at("zoe@elsewhere.example"))
    row = Suppression.objects.get()
    assert (row.address, row.note, row.reason) == ("", "", "complaint")
