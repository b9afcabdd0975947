"""Entering by the button, and lists from another part of the site."""

import datetime as dt

import pytest
from allauth.account.models import EmailAddress
from django.utils import timezone

from draws import services, vwd1
from draws.models import Draw, Entry
from notifications.models import Delivery, Message
from tests.draws.factories import HOUR, import_csv, make_draft, make_draw, make_executed, make_frozen
from tests.factories import admin, alice, bob, make_user

pytestmark = pytest.mark.django_db


def enter(draw, member):
    return services.enter_draw(draw=draw, member=member, now=timezone.now())


def assert_refused(draw, sentence, member=None):
    with pytest.raises(services.EntryRefusedError, match=sentence):
        enter(draw, member or alice())
    assert not Entry.objects.filter(draw=draw, member=member or alice()).exists()
    assert not Message.objects.filter(kind="draws.entry_receipt").exists()


def test_the_button_enters_with_one_ticket_and_a_pid_that_only_the_receipt_explains():
    draw = make_draw()
    entry = enter(draw, alice())
    assert (entry.weight, entry.source, entry.identity) == (1, Entry.Source.BUTTON, "alice@example.com")
    assert len(entry.salt) == 32
    assert bytes(entry.pid) == vwd1.public_id(scope=draw.scope, salt=entry.salt, identity=entry.identity)


def test_the_receipt_goes_to_the_inbox_with_pid_and_tickets():
    entry = enter(make_draw(), alice())
    delivery = Delivery.objects.get(member=alice())
    assert delivery.channel == "in_app"
    assert delivery.params == {"pid": entry.pid_hex, "tickets": 1}


def test_pressing_again_is_the_same_entry_and_no_second_receipt():
    draw = make_draw()
    assert enter(draw, alice()) == enter(draw, alice())
    assert Entry.objects.filter(draw=draw).count() == 1
    assert Message.objects.filter(kind="draws.entry_receipt").count() == 1


def test_a_member_with_another_address_by_now_keeps_the_first_entry():
    draw, member = make_draw(), make_user()
    first = enter(draw, member)
    member.email = "new@example.com"
    member.save()
    EmailAddress.objects.filter(user=member).update(email=member.email)
    assert enter(draw, member) == first


def test_an_address_that_belonged_to_somebody_in_the_draw_is_refused_politely():
    draw, before = make_draw(), make_user(email="shared@example.com")
    enter(draw, before)
    before.email = "moved@example.com"
    before.save()
    EmailAddress.objects.filter(user=before).delete()
    after = make_user(email="shared@example.com")
    with pytest.raises(services.EntryRefusedError, match="with another account"):
        enter(draw, after)
    assert not Message.objects.filter(about=draw.about, deliveries__member_id=after.pk).exists()


def test_whoever_was_imported_before_having_an_account_gets_that_entry_with_its_tickets():
    draw = make_draw()
    import_csv(draw, "alice@example.com,Alice,7\n")
    imported = Entry.objects.get(draw=draw)
    assert imported.member is None
    entry = enter(draw, alice())
    assert (entry.pk, entry.weight, entry.member) == (imported.pk, 7, alice())
    assert Delivery.objects.get(member=alice()).params["tickets"] == 7


def test_an_address_that_is_not_verified_enters_nobody():
    assert_refused(make_draw(), "Confirm your e-mail address", make_user(verified=False))


def test_an_imported_entry_is_not_shown_to_whoever_only_claims_the_address():
    draw = make_draw()
    import_csv(draw, "claimed@example.com\n")
    claimant = make_user(email="claimed@example.com", verified=False)
    assert services.entry_of(draw=draw, member=claimant) is None
    EmailAddress.objects.filter(user=claimant).update(verified=True)
    assert services.entry_of(draw=draw, member=claimant) == Entry.objects.get(draw=draw)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (make_draft, "not published yet"),
        (lambda: make_draw(closes_in=-HOUR), "Entries are closed"),
        (lambda: make_draw(closes_in=9 * HOUR), "not open yet"),
        (make_frozen, "Entries are closed"),
        (make_executed, "drawn already"),
        (lambda: make_draw(audience=Draw.Audience.LIST), "invited people only"),
    ],
    ids=["draft", "closed", "upcoming", "frozen", "drawn", "list only"],
)
def test_a_draw_that_takes_no_entries_says_why(make, sentence):
    assert_refused(make(), sentence)


@pytest.mark.parametrize("end", ["cancelled", "void"])
def test_a_draw_that_does_not_take_place_says_so(end):
    draw = make_draw()
    if end == "cancelled":
        services.cancel_draw(draw=draw, by=admin(), reason="Rain", now=timezone.now())
    else:
        services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
    assert_refused(draw, "does not take place")


def test_the_clock_is_postgresqls_and_not_the_callers():
    draw = make_draw(closes_in=-HOUR)
    with pytest.raises(services.EntryRefusedError):
        services.enter_draw(draw=draw, member=alice(), now=draw.closes_at - dt.timedelta(minutes=1))


def test_a_list_of_another_app_is_entered_and_members_are_linked():
    draw = make_draw()
    people = [
        services.NewEntry("alice@example.com", 3, "Alice"),
        services.NewEntry("+254711000001"),
        services.NewEntry("guest@example.org", 2),
    ]
    alice()
    assert services.add_entries(draw=draw, entries=people, now=timezone.now()) == 3
    entries = {entry.identity: entry for entry in Entry.objects.filter(draw=draw)}
    assert entries["alice@example.com"].member == alice()
    assert entries["+254711000001"].member is None
    assert {entry.source for entry in entries.values()} == {Entry.Source.APP}


def test_a_list_may_be_added_in_several_parts_of_one_transaction():
    draw = make_draw()
    for name in ("a", "b", "a"):
        services.add_entries(
            draw=draw, entries=[services.NewEntry(f"{name}@example.org")], now=timezone.now()
        )
    assert Entry.objects.filter(draw=draw).count() == 2


def test_a_list_that_would_overflow_the_tickets_is_refused_as_a_whole():
    draw = make_draw()
    people = [services.NewEntry(f"rich{n}@example.org", 2**52) for n in range(2)]
    with pytest.raises(services.EntryRefusedError, match="a draw holds at most"):
        services.add_entries(draw=draw, entries=people, now=timezone.now())
    assert not Entry.objects.filter(draw=draw).exists()


def test_a_closed_draw_takes_no_list():
    draw = make_frozen()
    with pytest.raises(services.EntryRefusedError, match="Entries are closed"):
        services.add_entries(draw=draw, entries=[services.NewEntry("x@example.org")], now=timezone.now())


def test_erased_entrants_keep_their_place():
    draw = make_draw(members=[bob()])
    Entry.objects.filter(draw=draw).update(identity=None, name="", salt=None, member=None)
    services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
    services.execute_draw(draw_id=draw.pk, now=draw.draw_at)
    draw.refresh_from_db()
    assert services.verify_stored_draw(draw) == []
