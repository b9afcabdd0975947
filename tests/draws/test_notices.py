"""Who is told what: each of the right people once, by the right road, however often the jobs run."""

import datetime as dt
from collections import Counter

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from config import roles
from draws import services
from draws.models import Entry
from notifications.models import Delivery, Message, State
from notifications.services import expand_due_messages, process_notifications
from tests.draws.factories import (
    CASH,
    HOUR,
    SMALL,
    VOUCHER,
    add_entries_straight,
    add_entry,
    make_draw,
    make_executed,
    make_frozen,
)
from tests.factories import admin, alice, bob, carol, dave, make_user

pytestmark = pytest.mark.django_db


def told(kind, draw):
    """(recipient, channel) to how often, of the deliveries of one message."""
    expand_due_messages(now=timezone.now())
    message = Message.objects.get(kind=f"draws.{kind}", about=draw.about)
    rows = Delivery.objects.filter(message=message)
    return Counter(rows.values_list("recipient_key", "channel"))


def inbox(user):
    return (f"member:{user.pk}", "in_app")


def mailbox(who):
    return (f"email:{who}" if isinstance(who, str) else f"member:{who.pk}", "email")


def everyone_once(*roads):
    return Counter(dict.fromkeys(roads, 1))


def mixed_draw(**fields):
    """Alice and Bob, a guest with an address, one with a phone; nobody else."""
    draw = make_draw(closes_in=-2 * HOUR, members=[alice(), bob()], **fields)
    add_entries_straight(draw, [("guest@example.org", 1, None), ("+254711000001", 1, None)])
    return draw


def run_all(draw):
    now = timezone.now()
    services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
    services.execute_due_draws(now=now)
    draw.refresh_from_db()
    return draw


def test_the_frozen_notice_carries_m_to_every_mailbox_and_the_members_inbox():
    draw = mixed_draw()
    frozen = services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
    message = Message.objects.get(kind="draws.entries_frozen")
    assert message.context["manifest_sha256"] == frozen.manifest_sha256
    assert message.context["entries"] == 4
    assert told("entries_frozen", draw) == everyone_once(
        inbox(alice()), mailbox(alice()), inbox(bob()), mailbox(bob()), mailbox("guest@example.org")
    )
    params = {row.recipient_key: row.params for row in Delivery.objects.filter(message=message)}
    entry = Entry.objects.get(draw=draw, member=alice())
    assert params[f"member:{alice().pk}"] == {"pid": entry.pid_hex, "tickets": 1}


def test_a_draw_of_members_alone_has_copies_of_m_outside_the_site():
    draw = make_draw(closes_in=-2 * HOUR, members=[alice(), bob()])
    frozen = services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
    process_notifications(now=timezone.now())
    told_ones = [letter.to[0] for letter in mail.outbox if frozen.manifest_sha256 in letter.body]
    assert sorted(address.rpartition("<")[2].rstrip(">") for address in told_ones) == [
        alice().email,
        bob().email,
    ]


def test_nobody_takes_the_frozen_notice_back(client):
    draw = make_draw(closes_in=-2 * HOUR, members=[alice()])
    services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
    before = told("entries_frozen", draw)
    message = Message.objects.get(kind="draws.entries_frozen")
    client.force_login(make_user(role=roles.MANAGER_ADMIN, is_staff=True))
    client.post(
        reverse("admin:notifications_message_cancel_now", args=[message.pk]), {"_form_submitted": "True"}
    )
    assert told("entries_frozen", draw) == before
    assert not Delivery.objects.filter(message=message, state=State.CANCELLED).exists()
    client.force_login(alice())
    assert draw.title in client.get(reverse("notifications:inbox")).content.decode()


def test_every_winner_is_told_by_inbox_and_mail_and_nobody_else():
    draw = run_all(mixed_draw(prizes=[("Prize", "cash", 100, 4)]))
    assert told("winner_announcement", draw) == everyone_once(
        inbox(alice()), mailbox(alice()), inbox(bob()), mailbox(bob()), mailbox("guest@example.org")
    )
    assert told("non_winner", draw) == Counter()


def test_winners_and_the_others_are_all_entrants_and_no_one_is_both():
    draw = run_all(mixed_draw(prizes=[CASH]))
    won, lost = told("winner_announcement", draw), told("non_winner", draw)
    people_won, people_lost = {key for key, _road in won}, {key for key, _road in lost}
    assert not people_won & people_lost
    winner = draw.winners.get().entry
    reached = {f"member:{alice().pk}", f"member:{bob().pk}", "email:guest@example.org"}
    assert people_won | people_lost == reached
    assert len(people_won) == (winner.identity != "+254711000001")
    for key, road in lost:
        assert road == ("in_app" if key.startswith("member:") else "email")


def test_each_winner_reads_the_own_prize():
    draw = run_all(make_draw(closes_in=-2 * HOUR, members=[alice(), bob(), carol()], prizes=[CASH, VOUCHER]))
    told("winner_announcement", draw)
    for winner in draw.winners.select_related("award", "entry"):
        for row in Delivery.objects.filter(
            message__kind="draws.winner_announcement", member_id=winner.entry.member_id
        ):
            assert row.params == {
                "prize": winner.award.title,
                "award": str(winner.award.public_id),
                "award_state": winner.award.state,
                "award_kind": winner.award.kind,
                "rank": winner.rank,
            }


def test_the_summary_goes_to_super_admins_and_manager_admins_alone():
    manager = make_user(role=roles.MANAGER_ADMIN, is_staff=True)
    root = make_user(is_superuser=True, is_staff=True)
    for role in (roles.FINANCE, roles.SUPPORT_LEAD, roles.OPERATOR):
        make_user(role=role, is_staff=True)
    make_user(role=roles.SUPER_ADMIN, is_active=False)
    both = make_user(role=roles.SUPER_ADMIN, is_superuser=True)
    draw = run_all(mixed_draw(prizes=[SMALL]))
    told_ones = told("admin_summary", draw)
    people = (admin(), manager, root, both)
    assert told_ones == everyone_once(*map(inbox, people), *map(mailbox, people))
    context = Message.objects.get(kind="draws.admin_summary").context
    assert (context["winners"], context["entries"], context["awarded"]) == (2, 4, "KES 200.00")


def test_a_failure_is_told_to_the_admins(monkeypatch):
    draw = make_frozen()
    monkeypatch.setattr(services.executing, "award_prizes", lambda **_named: 1 / 0)
    services.execute_due_draws(now=timezone.now())
    assert told("execution_failed", draw) == everyone_once(inbox(admin()), mailbox(admin()))
    assert Message.objects.get(kind="draws.execution_failed").context["error"] == "division by zero"


def test_the_teaser_goes_to_those_who_asked_for_it_and_were_here_lately():
    now = timezone.now()
    fresh, long_ago = now - dt.timedelta(days=89), now - dt.timedelta(days=91)
    wanted = make_user(accepts_promotions=True, last_login=fresh)
    make_user(accepts_promotions=True, last_login=long_ago)
    make_user(accepts_promotions=False, last_login=fresh)
    make_user(accepts_promotions=True, last_login=None)
    make_user(accepts_promotions=True, last_login=fresh, is_active=False)
    following = make_draw()
    run_all(mixed_draw())
    assert told("next_draw_teaser", following) == everyone_once(inbox(wanted))
    context = Message.objects.get(kind="draws.next_draw_teaser").context
    assert set(context) == {"draw", "slug", "closes_at"}


def test_without_a_next_draw_there_is_no_teaser():
    run_all(mixed_draw())
    assert not Message.objects.filter(kind="draws.next_draw_teaser").exists()


def test_a_second_run_of_everything_tells_nobody_again():
    draw = run_all(mixed_draw(prizes=[SMALL]))
    expand_due_messages(now=timezone.now())
    before = Counter(Delivery.objects.values_list("message_id", "recipient_key", "channel"))
    messages = Message.objects.count()
    for _ in range(2):
        services.freeze_due_draws(now=timezone.now() + HOUR)
        services.execute_due_draws(now=timezone.now() + HOUR)
        services.execute_draw(draw_id=draw.pk, now=timezone.now() + HOUR)
        expand_due_messages(now=timezone.now() + HOUR)
    assert Message.objects.count() == messages
    assert Counter(Delivery.objects.values_list("message_id", "recipient_key", "channel")) == before
    assert set(before.values()) == {1}


def test_one_member_with_two_entries_is_told_once():
    draw = make_draw(closes_in=-2 * HOUR, members=[alice()])
    add_entry(draw, "alice.by.another.address@example.com", member=alice())
    services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
    assert told("entries_frozen", draw) == everyone_once(inbox(alice()), mailbox(alice()))


def test_the_mails_go_out_once_with_the_right_words():
    draw = run_all(mixed_draw(prizes=[("A bicycle", "physical", 0, 4)]))
    for _ in range(3):
        process_notifications(now=timezone.now() + HOUR)
    sent = Counter(
        (message.to[0].rpartition("<")[2].rstrip(">"), "bicycle" in message.body) for message in mail.outbox
    )
    assert sent["guest@example.org", True] == 1
    assert sent["alice@example.com", True] == 1
    assert sent["guest@example.org", False] == 1  # that entries are frozen, with M
    frozen = next(one for one in mail.outbox if "guest" in one.to[0] and "bicycle" not in one.body)
    assert draw.manifest_sha256 in frozen.body


def test_those_who_did_not_take_part_hear_nothing():
    dave()
    draw = make_executed(entrants=3)
    expand_due_messages(now=timezone.now())
    assert draw.winners.exists()
    assert not Delivery.objects.filter(member_id=dave().pk).exists()
