"""Changing a published draw: with a reason and a notice, money and reminders following; and never once it is frozen."""

import datetime as dt
from dataclasses import replace

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from audit.models import Record
from draws import services
from draws.models import Draw, DrawChange
from draws.services import DrawChanges, PrizeTerms
from draws.services.reminding import REMINDERS
from notifications.models import Delivery, Message
from notifications.services import expand_due_messages
from tests.draws.factories import (
    CASH,
    HOUR,
    SMALL,
    assert_ledger_balances,
    fund,
    make_draft,
    make_draw,
    make_executed,
    make_frozen,
    pool_of,
)
from tests.draws.promises import assert_verifies
from tests.factories import admin, alice, bob

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


def change(draw, *, reason="The sponsor asked", now=None, based_on=None, **changes):
    result = services.change_draw(
        draw=draw,
        changes=DrawChanges(**changes),
        by=admin(),
        reason=reason,
        now=now or timezone.now(),
        based_on=based_on,
    )
    draw.refresh_from_db()
    return result


def terms(draw):
    return [
        PrizeTerms(
            code=prize.code, title=prize.title, kind=prize.kind, amount=prize.amount, quantity=prize.quantity
        )
        for prize in draw.prizes.all()
    ]


def reminders(draw):
    """Kind to when it goes out, of those that stand."""
    standing = Message.objects.filter(about=draw.about, kind__in=REMINDERS, cancelled_at=None)
    return {message.kind.removeprefix("draws."): message.not_before for message in standing}


class TestWords:
    def test_title_and_rules_change_with_a_version_a_record_and_a_notice(self):
        draw = make_draw(members=[alice()], rules="Old")
        old_hash = draw.rules_sha256
        made = change(draw, title="Harvest draw", rules="New")
        assert (draw.title, draw.rules, draw.rules_version) == ("Harvest draw", "New", 2)
        assert made.fields["rules"][0] == f"version 1 ({old_hash[:12]}…)"
        trail = Record.objects.get(action="draw.amended")
        assert (trail.actor, trail.data["reason"]) == (admin(), "The sponsor asked")
        assert trail.data["rules_sha256"] == draw.rules_sha256 != old_hash
        told = Message.objects.get(kind="draws.draw_changed")
        assert told.context["what"] == "Title, Rules"
        expand_due_messages(now=timezone.now())
        assert Delivery.objects.get(message=told).member == alice()

    def test_the_manifest_holds_what_was_changed_to(self, tmp_path):
        draw = make_draw(entrants=5, rules="Old")
        change(draw, title="Harvest draw", rules="New")
        services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
        draw.refresh_from_db()
        assert draw.manifest["title"] == "Harvest draw"
        assert draw.manifest["rules_sha256"] == draw.rules_sha256
        services.execute_draw(draw_id=draw.pk, now=draw.draw_at)
        assert_verifies(draw, tmp_path)

    def test_nothing_new_is_no_change(self):
        draw = make_draw()
        assert change(draw, title=draw.title, rules=draw.rules, prizes=terms(draw)) is None
        assert not DrawChange.objects.exists()
        assert not Message.objects.filter(kind="draws.draw_changed").exists()


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"title": " "}, "needs a title"),
            ({"rules": " "}, "needs rules"),
            ({"opens_at": timezone.now() + DAY}, "have opened already"),
            ({"closes_at": timezone.now() - HOUR / 60}, "close in the future"),
            ({"closes_at": timezone.now() + 2 * HOUR}, "Draw at least 600 seconds"),
            ({"prizes": []}, "at least one prize"),
            ({"prizes": [PrizeTerms(title="Mug", kind="physical", code="p9")]}, "each of its prizes once"),
            ({"prizes": [PrizeTerms(title="Cash", kind="cash")]}, "need an amount"),
            ({"prizes": [PrizeTerms(title="Mug", kind="physical", quantity=0)]}, "at least one"),
            ({"prizes": [PrizeTerms(title="Mug", kind="physical", code="p1")]}, "keeps its kind"),
        ],
    )
    def test_what_makes_no_draw_is_refused_and_changes_nothing(self, changes, says):
        draw = make_draw()
        before = Draw.objects.filter(pk=draw.pk).values().get(), terms(draw), pool_of(draw)
        with pytest.raises(services.ChangeRefusedError, match=says):
            change(draw, **changes)
        assert before == (Draw.objects.filter(pk=draw.pk).values().get(), terms(draw), pool_of(draw))

    def test_it_needs_a_reason(self):
        with pytest.raises(services.ChangeRefusedError, match="Say why"):
            change(make_draw(), title="Other", reason="  ")

    @pytest.mark.parametrize(
        "make", [make_draft, lambda: make_draw(closes_in=-HOUR), make_frozen, make_executed]
    )
    def test_only_before_entries_close(self, make):
        with pytest.raises(services.ChangeRefusedError):
            change(make(), title="Other")

    def test_a_frozen_draw_is_not_changed_whatever_the_code_says(self):
        draw = make_frozen()
        for values in ({"title": "Other"}, {"rules": "Other"}, {"draw_at": draw.draw_at + DAY}):
            with pytest.raises(IntegrityError), transaction.atomic():
                Draw.objects.filter(pk=draw.pk).update(**values)

    def test_of_two_who_change_at_once_the_second_looks_again(self):
        draw = make_draw()
        change(draw, title="Mine", based_on=0)
        with pytest.raises(services.ChangeRefusedError, match="Somebody changed this draw meanwhile"):
            change(draw, title="Yours", based_on=0)

    def test_a_change_on_record_is_never_rewritten(self):
        draw = make_draw()
        change(draw, title="Other")
        for act in (lambda: DrawChange.objects.update(reason="x"), lambda: DrawChange.objects.all().delete()):
            with pytest.raises(IntegrityError), transaction.atomic():
                act()

    def test_a_draw_stays_before_the_one_that_skips_its_winners(self):
        first = make_draw(closes_in=HOUR)
        second = make_draw(scope=first.scope, closes_in=2 * HOUR, excludes=[str(first.public_id)])
        with pytest.raises(services.ChangeRefusedError, match="must be drawn before it"):
            change(first, closes_at=first.closes_at + 3 * HOUR, draw_at=first.draw_at + 3 * HOUR)
        with pytest.raises(services.ChangeRefusedError, match="must be drawn before this one"):
            change(second, draw_at=first.draw_at, closes_at=first.closes_at)


class TestPrizes:
    def test_dearer_prizes_are_reserved_and_cheaper_ones_released(self):
        draw = make_draw(prizes=[CASH, SMALL], extra=50_000)
        assert pool_of(draw) == (50_000, 120_000, 0)
        main, small = terms(draw)
        change(
            draw,
            prizes=[main, PrizeTerms(code=small.code, title="Small", kind="cash", amount=15_000, quantity=3)],
        )
        assert pool_of(draw) == (25_000, 145_000, 0)
        change(draw, prizes=[PrizeTerms(title="Mug", kind="physical"), main])
        assert pool_of(draw) == (70_000, 100_000, 0)
        assert [(prize.code, prize.title) for prize in draw.prizes.all()] == [
            ("p3", "Mug"),
            ("p1", "Main prize"),
        ]
        assert_ledger_balances()

    def test_prizes_that_the_pool_does_not_cover_are_refused_with_what_is_short(self):
        draw = make_draw(prizes=[CASH], extra=1_000)
        with pytest.raises(services.ChangeRefusedError, match=r"fund it with KES 490\.00 more"):
            change(draw, prizes=[PrizeTerms(title="Main", kind="cash", amount=150_000, code="p1")])
        assert pool_of(draw) == (1_000, 100_000, 0)

    def test_a_draw_with_other_prizes_is_drawn_and_verified(self, tmp_path):
        draw = make_draw(prizes=[CASH, SMALL], entrants=8)
        change(draw, prizes=[PrizeTerms(title="Mug", kind="physical", quantity=2), terms(draw)[0]])
        services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
        services.execute_draw(draw_id=draw.pk, now=draw.draw_at + HOUR)
        draw.refresh_from_db()
        assert [slot["prize"] for slot in draw.report.proof["slots"]] == ["p3", "p3", "p1"]
        assert_verifies(draw, tmp_path)
        assert services.check_draws(now=timezone.now()).differences == {}


class TestReminders:
    def test_publishing_plans_them_a_day_before_closing_and_an_hour_before_the_draw(self):
        draw = make_draw(closes_in=3 * DAY, opens_at=timezone.now() - HOUR)
        assert reminders(draw) == {
            "entries_close_soon": draw.closes_at - DAY,
            "draw_soon": draw.draw_at - HOUR,
        }
        expiries = {m.kind: m.expires_at for m in Message.objects.filter(kind__in=REMINDERS)}
        assert expiries == {"draws.entries_close_soon": draw.closes_at, "draws.draw_soon": draw.draw_at}

    def test_a_draw_of_a_day_is_not_announced_as_closing_soon(self):
        draw = make_draw(closes_in=20 * HOUR, opens_at=timezone.now() - HOUR)
        assert set(reminders(draw)) == {"draw_soon"}

    def test_they_move_with_the_draw(self):
        draw = make_draw(closes_in=3 * DAY, opens_at=timezone.now() - HOUR)
        change(draw, closes_at=draw.closes_at + DAY, draw_at=draw.draw_at + 2 * DAY)
        assert reminders(draw) == {
            "entries_close_soon": draw.closes_at - DAY,
            "draw_soon": draw.draw_at - HOUR,
        }
        change(draw, draw_at=draw.draw_at + DAY)
        assert reminders(draw)["draw_soon"] == draw.draw_at - HOUR
        assert len(reminders(draw)) == 2

    def test_one_that_was_sent_with_the_old_time_is_taken_back(self):
        draw = make_draw(closes_in=3 * DAY, opens_at=timezone.now() - HOUR, members=[alice()])
        soon = draw.draw_at - HOUR
        expand_due_messages(now=soon)
        mine = Delivery.objects.inbox_of(alice().pk, soon).filter(message__kind="draws.draw_soon")
        assert mine.count() == 1
        services.freeze_draw(draw_id=draw.pk, now=draw.draw_at + HOUR)  # the site was down
        assert mine.count() == 0
        draw.refresh_from_db()
        assert draw.draw_at > soon + HOUR

    def test_entrants_hear_of_the_draw_and_what_comes_too_late_is_not_said(self):
        type(bob()).objects.filter(pk=bob().pk).update(accepts_promotions=True)
        draw = make_draw(closes_in=3 * DAY, opens_at=timezone.now() - HOUR, members=[alice()])
        expand_due_messages(now=draw.closes_at)
        told = dict(Delivery.objects.filter(message__about=draw.about).values_list("message__kind", "member"))
        assert told == {"draws.draw_soon": alice().pk}

    def test_closing_soon_goes_to_those_who_want_it_and_have_not_entered(self):
        for person in (alice(), bob()):
            type(person).objects.filter(pk=person.pk).update(accepts_promotions=True)
        admin()
        draw = make_draw(closes_in=3 * DAY, opens_at=timezone.now() - HOUR, members=[alice()])
        expand_due_messages(now=draw.closes_at - DAY)
        told = Delivery.objects.filter(message__kind="draws.entries_close_soon")
        assert set(told.values_list("member", flat=True)) == {bob().pk}

    def test_a_cancelled_or_void_draw_says_none_of_them(self):
        cancelled = make_draw(closes_in=3 * DAY, opens_at=timezone.now() - HOUR)
        services.cancel_draw(draw=cancelled, by=admin(), reason="Rain", now=timezone.now())
        void = make_draw(closes_in=3 * DAY, opens_at=timezone.now() - HOUR)
        services.freeze_draw(draw_id=void.pk, now=void.closes_at)
        assert (reminders(cancelled), reminders(void)) == ({}, {})

    def test_a_draw_made_early_is_not_announced_any_more(self):
        draw = make_draw(entrants=3, draw_at=timezone.now() + 2 * DAY)
        services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
        assert set(reminders(draw)) == {"draw_soon"}
        services.execute_draw(
            draw_id=draw.pk, by=admin(), reason="Now", now=draw.closes_at + dt.timedelta(seconds=600)
        )
        assert reminders(draw) == {}

    def test_results_go_to_members_of_earlier_draws_who_want_to_hear_of_them(self):
        for person in (alice(), bob()):
            type(person).objects.filter(pk=person.pk).update(accepts_promotions=True)
        make_draw(members=[alice(), bob()])
        draw = make_executed(members=[alice()])
        expand_due_messages(now=draw.draw_at)
        told = Delivery.objects.filter(message__kind="draws.results_published")
        assert set(told.values_list("member", flat=True)) == {bob().pk}


def test_funding_first_makes_room_for_dearer_prizes():
    draw = make_draw(prizes=[CASH])
    fund(draw)
    change(draw, prizes=[PrizeTerms(title="Main", kind="cash", amount=200_000, code="p1")])
    assert pool_of(draw) == (0, 200_000, 0)


class TestDetails:
    """What can be corrected beside title, times and amounts."""

    def test_a_description_is_corrected_with_what_stood_before(self):
        draw = make_draw(description="Two tickets to the cup finale.")
        made = change(draw, description="Two tickets to the cup final.")
        assert draw.description == "Two tickets to the cup final."
        assert made.fields == {
            "description": ["Two tickets to the cup finale.", "Two tickets to the cup final."]
        }

    def test_terms_pay_and_days_of_prizes_are_corrected(self, client):
        draw = make_draw(prizes=[CASH, ("Dinner", "voucher", 0, 1), SMALL])
        main, dinner, small = terms(draw)
        made = change(
            draw,
            prizes=[
                replace(main, pays="on_claim"),
                replace(dinner, terms="At the Green Table, on weekdays.", valid_days=90),
                small,
            ],
        )
        assert list(draw.prizes.values_list("pays", "terms", "valid_days")) == [
            ("on_claim", "", 365),
            ("at_once", "At the Green Table, on weekdays.", 90),
            ("at_once", "", 365),
        ]
        assert made.fields == {
            "prize_details": [
                "Main prize: paid at once; Dinner: valid for 365 days",
                "Main prize: paid when it is claimed; Dinner: valid for 90 days, terms: At the Green Table, on weekdays.",
            ]
        }
        html = client.get(draw.get_absolute_url()).content.decode()
        assert "At the Green Table" in html
        assert Message.objects.filter(kind="draws.draw_changed").count() == 1
        assert_ledger_balances()

    def test_what_is_left_out_stays(self):
        draw = make_draw(description="As it is", prizes=[("Dinner", "voucher", 0, 1)])
        (dinner,) = terms(draw)
        change(draw, prizes=[replace(dinner, terms="On weekdays.", valid_days=30)])
        made = change(draw, prizes=[replace(dinner, title="Dinner for two")])
        (prize,) = draw.prizes.all()
        assert (prize.terms, prize.valid_days, draw.description) == ("On weekdays.", 30, "As it is")
        assert "prizes" in made.fields

    @pytest.mark.parametrize("wrong", [{"pays": "never"}, {"valid_days": 0}, {"valid_days": 3651}])
    def test_it_refuses_what_is_none(self, wrong):
        draw = make_draw(prizes=[("Dinner", "voucher", 0, 1)])
        (dinner,) = terms(draw)
        with pytest.raises(services.ChangeRefusedError, match="valid for 1 to 3650 days"):
            change(draw, prizes=[replace(dinner, **wrong)])

    def test_the_admin_s_form_offers_them(self, client):
        draw = make_draw(description="Old", prizes=[CASH, ("Dinner", "voucher", 0, 1)])
        client.force_login(admin())
        url = reverse("admin:draws_draw_change_terms", args=[draw.pk])
        form = client.get(url).context["form"]
        sent = {name: form[name].value() for name in form.fields if form[name].value() is not None}
        sent |= {
            "description": "New",
            "prize_p2_terms": "On weekdays.",
            "prize_p2_valid_days": "30",
            "prize_p1_pays": "on_claim",
            "reason": "Mistyped",
        }
        answer = client.post(url, sent)
        assert answer.status_code == 302, answer.context["form"].errors
        draw.refresh_from_db()
        assert draw.description == "New"
        assert list(draw.prizes.values_list("pays", "terms", "valid_days")) == [
            ("on_claim", "", 365),
            ("at_once", "On weekdays.", 30),
        ]
