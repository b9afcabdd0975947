"""What people want is asked for when something is about to be sent, and again for what was planned before."""

import datetime as dt
import email
import email.policy

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from audit.models import Record
from notifications import kinds
from notifications.models import (
    Correspondent,
    Delivery,
    Preference,
    SkipReason,
    State,
    Stop,
    Suppression,
    SuppressionReason,
)
from notifications.recipients import Recipient
from notifications.services import sending
from notifications.services.consent import Wishes, refusal, wishes_of
from notifications.services.expansion import expand_due_messages
from notifications.services.sending import send_due_deliveries
from notifications.services.suppressions import SuppressionError, lift_suppression, suppress_address
from tests.factories import admin, alice, bob, carol
from tests.notifications.outbox import NOW, named, outsider, say

pytestmark = pytest.mark.django_db
ZOE = "zoe@elsewhere.example"
ZOES = f"email:{ZOE}"


def switch(person_key: str, kind: str, channel: str = "email", *, is_on: bool = False) -> None:
    Preference.objects.create(person_key=person_key, kind=kind, channel=channel, is_on=is_on, changed_at=NOW)


def stop(person_key: str, kind: str = "test.service", about: str = "test.thing:1", channel: str = "email"):
    Stop.objects.create(person_key=person_key, kind=kind, about=about, channel=channel, stopped_at=NOW)


def suppress(address: str = ZOE, reason=SuppressionReason.BOUNCE, **changes) -> Suppression:
    usual = {"channel": "email", "by": None, "now": NOW}
    return suppress_address(address=address, reason=reason, **{**usual, **changes})


def outcome(**conditions) -> tuple[str, str]:
    delivery = Delivery.objects.get(channel="email", **conditions)
    return delivery.state, delivery.skip_reason


class TestSwitchedOff:
    def test_a_kind_that_was_switched_off_is_not_sent(self, smtp):
        switch(ZOES, "test.service")
        say(recipients=[outsider()])
        send_due_deliveries(now=NOW)
        assert outcome() == (State.SUPPRESSED, SkipReason.CONSENT)
        assert smtp.taken == []

    @pytest.mark.parametrize("other", [("test.mail", "email"), ("test.service", "sms")])
    def test_another_kind_or_channel_is_not_meant(self, smtp, other):
        switch(ZOES, *other)
        say(recipients=[outsider()])
        assert send_due_deliveries(now=NOW).handed == 1

    def test_somebody_else_is_not_meant(self, smtp):
        switch("email:other@elsewhere.example", "test.service")
        say(recipients=[outsider()])
        assert send_due_deliveries(now=NOW).handed == 1

    def test_a_stop_is_about_one_thing(self, smtp):
        stop(ZOES)
        say(recipients=[outsider()], key="1")
        say(recipients=[outsider()], key="2", about="test.thing:2")
        assert send_due_deliveries(now=NOW).handed == 1
        assert outcome(message__about="test.thing:1") == (State.SUPPRESSED, SkipReason.CONSENT)
        assert outcome(message__about="test.thing:2") == (State.HANDED, "")

    @pytest.mark.parametrize("under", ["account", "address"])
    def test_a_members_stop_holds_whether_it_is_the_accounts_or_the_addresss(self, smtp, under):
        stop(f"member:{alice().pk}" if under == "account" else "email:alice@example.com")
        say(recipients=[named(alice())])
        send_due_deliveries(now=NOW)
        assert outcome() == (State.SUPPRESSED, SkipReason.CONSENT)

    def test_what_stands_under_an_address_holds_for_its_new_account_until_that_says_otherwise(self, smtp):
        switch("email:alice@example.com", "test.service")
        say(recipients=[named(alice())], key="1")
        send_due_deliveries(now=NOW)
        assert outcome() == (State.SUPPRESSED, SkipReason.CONSENT)
        switch(f"member:{alice().pk}", "test.service", is_on=True)
        say(recipients=[named(alice())], key="2")
        assert send_due_deliveries(now=NOW).handed == 1

    def test_a_transactional_kind_arrives_after_all_stops(self, smtp):
        switch(ZOES, "test.money")
        stop(ZOES, "test.money")
        Correspondent.objects.create(person_key=ZOES, quiet_from=dt.time(0), quiet_to=dt.time(23, 59))
        say("test.money", recipients=[outsider()])
        assert send_due_deliveries(now=NOW).handed == 1

    def test_an_inbox_copy_is_not_made_of_what_is_off_in_the_inbox(self):
        keys = {who().email: f"member:{who().pk}" for who in (alice, bob, carol)}
        switch(keys["alice@example.com"], "test.service", "in_app")
        switch(keys["alice@example.com"], "test.money", "in_app")
        stop(keys["bob@example.com"], channel="in_app")
        say("test.service", key="1")
        say("test.money", key="2")
        expand_due_messages(now=NOW)
        copies = Delivery.objects.filter(channel="in_app")
        told = copies.filter(message__kind="test.service").values_list("member__email", flat=True)
        assert list(told) == ["carol@example.com"]
        assert copies.filter(message__kind="test.money").count() == 3
        mails = Delivery.objects.filter(channel="email", message__kind="test.service")
        assert mails.count() == 3, "the inbox says nothing of mail"


class TestPromotions:
    def test_an_outsider_gets_them_once_they_confirmed(self, smtp):
        say("test.teaser", recipients=[outsider()], key="1", now=NOW)
        assert not Delivery.objects.exists()
        person = Correspondent.objects.create(person_key=ZOES, promotions_asked_at=NOW)
        say("test.teaser", recipients=[outsider()], key="2")
        assert not Delivery.objects.exists()
        Correspondent.objects.filter(pk=person.pk).update(promotions_confirmed_at=NOW)
        say("test.teaser", recipients=[outsider()], key="3")
        assert send_due_deliveries(now=NOW).handed == 1

    def test_a_word_taken_back_counts_for_what_is_planned(self, smtp):
        person = Correspondent.objects.create(person_key=ZOES, promotions_confirmed_at=NOW)
        say("test.teaser", recipients=[outsider()])
        Correspondent.objects.filter(pk=person.pk).update(promotions_confirmed_at=None)
        send_due_deliveries(now=NOW)
        assert outcome() == (State.SUPPRESSED, SkipReason.CONSENT)

    def test_one_kind_of_them_can_be_off(self, smtp):
        User.objects.filter(pk=alice().pk).update(accepts_promotions=True)
        switch(f"member:{alice().pk}", "test.teaser")
        say("test.teaser", recipients=[named(alice())])
        send_due_deliveries(now=NOW)
        assert outcome() == (State.SUPPRESSED, SkipReason.CONSENT)


class TestSuppressed:
    @pytest.mark.parametrize("kind", ["test.service", "test.money"])
    @pytest.mark.parametrize("reason", list(SuppressionReason))
    def test_nothing_goes_to_a_suppressed_address(self, smtp, kind, reason):
        suppress(reason=reason)
        say(kind, recipients=[outsider()])
        send_due_deliveries(now=NOW)
        assert outcome() == (State.SUPPRESSED, str(reason))
        assert smtp.taken == []

    @pytest.mark.parametrize(
        "spelling", ["ZOE@Elsewhere.Example", "  zoe@elsewhere.example ", "Zoe@ELSEWHERE.example"]
    )
    def test_whatever_its_letters(self, smtp, spelling):
        suppress(spelling)
        say(
            recipients=[
                outsider(),
                Recipient(address="ZoE@elsewhere.EXAMPLE", params={"code": "x"}, name="Z"),
            ]
        )
        send_due_deliveries(now=NOW)
        assert set(Delivery.objects.values_list("state", flat=True)) == {State.SUPPRESSED}

    def test_only_by_that_channel(self, smtp):
        suppress(channel="sms")
        say(recipients=[outsider()])
        assert send_due_deliveries(now=NOW).handed == 1

    def test_lifted_it_goes_again_and_both_stand_in_the_trail(self, smtp):
        row = suppress(by=admin(), note="Case 7", reason=SuppressionReason.MANUAL)
        assert suppress() == row, "twice is once"
        assert lift_suppression(suppression=row, note="Case 8", by=admin(), now=NOW)
        assert not lift_suppression(suppression=row, note="Case 8", by=admin(), now=NOW)
        say(recipients=[outsider()])
        assert send_due_deliveries(now=NOW).handed == 1
        acts = Record.objects.filter(action__startswith="notification.suppress").order_by("pk")
        assert [act.action for act in acts] == ["notification.suppressed", "notification.suppression_lifted"]
        assert ZOE not in str([act.data for act in acts])
        assert suppress().pk != row.pk, "and can be suppressed again"

    def test_staff_have_to_say_why(self):
        with pytest.raises(SuppressionError, match="case number"):
            suppress(by=admin(), note=" ")
        with pytest.raises(SuppressionError):
            suppress("  ")
        with pytest.raises(SuppressionError):
            lift_suppression(suppression=suppress(), note="", by=admin(), now=NOW)

    def test_who_was_erased_once_hears_that_their_new_account_is_to_be_erased(self):
        """That goes to the address alone, and calls off what a thief has asked for."""
        erased = Wishes(suppressed_for=SuppressionReason.ERASED)
        assert refusal(erased, kind=kinds.get("config.erasure_requested"), person=None) is None
        assert refusal(erased, kind=kinds.get("test.money"), person=None) == SkipReason.ERASED
        manual = Wishes(suppressed_for=SuppressionReason.MANUAL)
        assert refusal(manual, kind=kinds.get("config.erasure_requested"), person=None) == SkipReason.MANUAL

    def test_a_stop_by_staff_holds_where_the_address_was_erased_before(self):
        suppress("alice@example.com", reason=SuppressionReason.ERASED)
        row = suppress("alice@example.com", reason=SuppressionReason.MANUAL)
        assert row.reason == SuppressionReason.MANUAL
        assert Suppression.objects.get(lifted_at=None) == row

    def test_an_erased_address_that_came_back_with_an_account_is_told_again(self, smtp):
        suppress("alice@example.com", reason=SuppressionReason.ERASED)
        say("test.money", recipients=[named(alice())], key="1")
        say("test.money", recipients=[Recipient(address="alice@example.com", params={"code": "x"})], key="2")
        assert send_due_deliveries(now=NOW).handed == 1
        assert outcome(member=None) == (State.SUPPRESSED, SkipReason.ERASED)


class TestQuietHours:
    """NOW is 9:00 UTC: 12:00 in Nairobi, 15:00 in Dhaka, 4:00 in Toronto."""

    def quiet(self, person_key: str, start: str, end: str) -> None:
        hours = {"quiet_from": dt.time.fromisoformat(start), "quiet_to": dt.time.fromisoformat(end)}
        Correspondent.objects.create(person_key=person_key, **hours)

    def test_a_mail_waits_until_they_are_over_and_then_goes(self, smtp):
        self.quiet(f"member:{carol().pk}", "22:00", "06:30")
        say(recipients=[named(carol())])
        assert send_due_deliveries(now=NOW).processed == 1
        assert send_due_deliveries(now=NOW).processed == 0, "no sweep takes it again at once"
        delivery = Delivery.objects.get(channel="email")
        assert (delivery.state, delivery.skip_reason) == (State.PLANNED, SkipReason.QUIET_HOURS)
        assert delivery.next_attempt_at == dt.datetime(2026, 11, 20, 11, 30, tzinfo=dt.UTC)
        assert delivery.attempts == 0
        assert send_due_deliveries(now=delivery.next_attempt_at).handed == 1
        assert outcome() == (State.HANDED, "")

    def test_the_zone_is_the_one_they_live_in_now(self, smtp):
        self.quiet(f"member:{carol().pk}", "22:00", "06:30")
        say(recipients=[named(carol())])
        User.objects.filter(pk=carol().pk).update(time_zone="Asia/Dhaka")
        assert send_due_deliveries(now=NOW).handed == 1

    @pytest.mark.parametrize(
        ("night", "wakes"),
        [("2026-03-08 06:00", "2026-03-08 07:00"), ("2026-11-01 04:00", "2026-11-01 05:30")],
        ids=["clocks go forward over the end", "the end comes twice"],
    )
    def test_in_the_two_nights_in_which_clocks_are_changed(self, smtp, night, wakes):
        end = "02:30" if night.startswith("2026-03") else "01:30"
        self.quiet(f"member:{carol().pk}", "22:00", end)
        now = dt.datetime.fromisoformat(night + "+00:00")
        say(recipients=[named(carol())], now=now)
        send_due_deliveries(now=now)
        delivery = Delivery.objects.get(channel="email")
        assert delivery.next_attempt_at == dt.datetime.fromisoformat(wakes + "+00:00")

    @pytest.mark.parametrize("minutes", [0, -1])
    def test_what_is_of_no_use_when_they_are_over_is_skipped(self, smtp, minutes):
        self.quiet(f"member:{carol().pk}", "22:00", "06:30")
        over = dt.datetime(2026, 11, 20, 11, 30, tzinfo=dt.UTC)
        say(recipients=[named(carol())], expires_at=over + dt.timedelta(minutes=minutes))
        send_due_deliveries(now=NOW)
        assert outcome() == (State.SKIPPED, SkipReason.QUIET_HOURS)
        assert send_due_deliveries(now=over).processed == 0

    def test_promotions_wait_for_the_morning_although_nobody_asked_for_quiet(self, smtp):
        User.objects.filter(pk=carol().pk).update(accepts_promotions=True)
        say("test.teaser", recipients=[named(carol())], key="1")
        say("test.service", recipients=[named(carol())], key="2")
        assert send_due_deliveries(now=NOW).handed == 1
        delivery = Delivery.objects.get(channel="email", message__kind="test.teaser")
        assert delivery.next_attempt_at == dt.datetime(2026, 11, 20, 13, 0, tzinfo=dt.UTC)

    def test_ones_own_quiet_hours_take_the_place_of_the_sites(self, smtp, settings):
        User.objects.filter(pk=carol().pk).update(accepts_promotions=True)
        self.quiet(f"member:{carol().pk}", "01:00", "03:00")
        say("test.teaser", recipients=[named(carol())])
        assert send_due_deliveries(now=NOW).handed == 1

    def test_a_time_zone_that_is_none_counts_as_utc(self, smtp):
        self.quiet(ZOES, "08:00", "10:00")
        say(recipients=[outsider(time_zone="Mars/Base")])
        send_due_deliveries(now=NOW)
        assert Delivery.objects.get().next_attempt_at == NOW + dt.timedelta(hours=1)


class TestManyAtOnce:
    def test_ten_thousand_are_asked_about_in_one_statement_each(self, smtp, monkeypatch):
        """Nobody's wishes are asked for one by one: the recheck of 10,000 is as many questions as that of two."""
        count = 10_000
        people = [outsider(f"nr{n}") for n in range(1_000)]
        for part in range(count // 1_000):
            say(key=f"part {part}", recipients=people)
        for n in range(0, 1_000, 2):
            switch(people[n].key, "test.service")
        suppress(people[1].address)
        claimed = sending._claim(Delivery.objects.all(), now=NOW, limit=count)
        assert len(claimed) == count
        with CaptureQueriesContext(connection) as captured:
            wanted, _versions = sending._recheck(claimed, sending.Tally(), now=NOW)
        assert len(wanted) == count // 2 - 10
        assert len(captured) <= 3, [query["sql"][:80] for query in captured]  # people, wishes, results

    def test_nobody_is_asked_about_where_there_is_nothing(self):
        assert wishes_of([]) == {}


def test_a_mail_carries_what_mail_programs_make_a_button_of(smtp):
    for kind in ("test.service", "test.money"):
        say(kind, recipients=[outsider()], key=kind)
    send_due_deliveries(now=NOW)
    mails = [email.message_from_bytes(taken.content, policy=email.policy.default) for taken in smtp.taken]
    service, money = sorted(mails, key=lambda mail: mail["List-Unsubscribe"] is None)
    link = service["List-Unsubscribe"].strip()  # it begins a line of its own
    assert link.startswith("<http://127.0.0.1:8000/unsubscribe/")
    assert link.endswith("/>")
    assert service["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    for part in ("plain", "html"):
        assert link[1:-1] in service.get_body((part,)).get_content()
        assert "/preferences/" in service.get_body((part,)).get_content()
        assert "/preferences/" in money.get_body((part,)).get_content()
        assert "/unsubscribe/" not in money.get_body((part,)).get_content()
    assert (money["List-Unsubscribe"], money["List-Unsubscribe-Post"]) == (None, None)
    assert "can't be switched off" in money.get_body(("plain",)).get_content()
