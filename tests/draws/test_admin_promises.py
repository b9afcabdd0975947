"""What staff do about a draw's promise in the admin: drafts with conditions, changes, announced texts, checks."""

import datetime as dt

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone

from accounts.roles import FINANCE, MANAGER_ADMIN
from audit.models import Record
from draws import services
from draws.models import AnnouncedText, Draw, DrawChange
from tests.draws.admin_pages import draft_form, page_of, staff
from tests.draws.factories import (
    CASH,
    HOUR,
    call_off,
    make_draft,
    make_draw,
    make_executed,
    make_frozen,
    pool_of,
)
from tests.draws.promises import LOTTERY, NUMBERS, frozen_of_2023
from tests.draws.test_check_draws import forge
from tests.factories import admin, alice

pytestmark = pytest.mark.django_db
ADD = "/admin/draws/draw/add/"
MUG = {"title": "Mug", "kind": "physical", "quantity": "1", "amount": ""}


def url(draw, act):
    return reverse(f"admin:draws_draw_{act}", args=[draw.pk])


@pytest.fixture
def boss(client):
    client.force_login(admin())
    return client


class TestDraft:
    def test_conditions_sources_and_skipped_draws_are_kept_and_shown_again(self, boss):
        first = make_draw(closes_in=HOUR)
        group = Group.objects.create(name="Choir")
        sent = draft_form(
            MUG,
            audience="group",
            audience_group=group.pk,
            min_age="18",
            countries="ke, BD, KE",
            source_types=["commit", "public_text"],
            public_text_label="National lottery",
            skips=[first.pk],
        )
        assert boss.post(ADD, sent).status_code == 302
        draw = Draw.objects.get(slug="harvest-draw")
        assert (draw.audience_group, draw.min_age, draw.countries) == (group, 18, ["KE", "BD"])
        assert draw.randomness == [{"type": "commit"}, {"type": "public_text", "label": "National lottery"}]
        assert (draw.excludes, draw.scope) == ([str(first.public_id)], first.scope)
        form = boss.get(page_of(draw)).context["adminform"].form
        assert form["countries"].value() == "KE, BD"
        assert form["source_types"].value() == ["commit", "public_text"]
        assert form["skips"].value() == [first.pk]

    @pytest.mark.parametrize(
        ("wrong", "says"),
        [
            ({"audience": "group"}, "Choose the group"),
            ({"audience": "app"}, "Another part of the site"),
            ({"countries": "Kenya"}, "codes of two letters"),
            ({"source_types": ["public_text"]}, "Say which announced text"),
            ({"min_age": "0"}, "greater than or equal to 1"),
        ],
    )
    def test_what_makes_no_draw_is_refused_in_words(self, boss, wrong, says):
        page = boss.post(ADD, draft_form(MUG, **wrong))
        assert page.status_code == 200
        assert says in page.content.decode()
        assert not Draw.objects.exists()

    def test_draws_of_two_series_cannot_be_skipped_together(self, boss):
        skips = [make_draw().pk, make_draw().pk]
        page = boss.post(ADD, draft_form(MUG, skips=skips))
        assert "of different series" in page.content.decode()

    def test_the_checklist_says_what_a_source_needs(self, boss):
        draw = make_draft(randomness=[{"type": "drand"}])
        assert "Set DRAND_RELAYS" in boss.get(page_of(draw)).content.decode()


class TestChange:
    def sent(self, boss, draw, **values):
        form = boss.get(url(draw, "change_terms")).context["form"]
        data = {name: form[name].value() for name in form.fields}
        data = {
            name: value.isoformat() if isinstance(value, dt.datetime) else "" if value is None else value
            for name, value in data.items()
        }
        return data | {"reason": "The sponsor asked"} | values

    def test_the_form_shows_what_is_and_sent_back_as_it_is_changes_nothing(self, boss):
        draw = make_draw()
        answer = boss.post(url(draw, "change_terms"), self.sent(boss, draw), follow=True)
        assert "Nothing was changed" in answer.content.decode()
        assert not DrawChange.objects.exists()

    def test_new_terms_are_published_with_the_reason(self, boss, client):
        draw = make_draw(prizes=[CASH], extra=50_000)
        sent = self.sent(
            boss,
            draw,
            title="Harvest draw",
            prize_p1_amount="1,200.00",
            prize_new_title="Mug",
            prize_new_kind="physical",
            prize_new_quantity="2",
        )
        assert boss.post(url(draw, "change_terms"), sent).url == page_of(draw)
        draw.refresh_from_db()
        assert draw.title == "Harvest draw"
        assert pool_of(draw) == (30_000, 120_000, 0)
        assert [(p.title, p.quantity) for p in draw.prizes.all()] == [("Main prize", 1), ("Mug", 2)]
        client.logout()
        page = client.get(draw.get_absolute_url()).content.decode()
        assert "Changed by the organiser" in page
        assert "The sponsor asked" in page
        assert "1 × Main prize (KES 1,200.00); 2 × Mug" in page

    def test_a_prize_of_which_there_are_none_goes(self, boss):
        draw = make_draw()
        boss.post(url(draw, "change_terms"), self.sent(boss, draw, prize_p2_quantity="0"))
        assert [prize.code for prize in draw.prizes.all()] == ["p1"]
        assert pool_of(draw) == (20_000, 100_000, 0)

    @pytest.mark.parametrize(
        ("wrong", "says"),
        [
            ({"reason": ""}, "required"),
            ({"prize_p1_amount": "a lot"}, "a lot"),
            ({"prize_new_quantity": "1"}, "A prize needs a title"),
            ({"draw_at": "2020-01-01T10:00"}, "seconds after entries close"),
            ({"based_on": "7"}, "Somebody changed this draw meanwhile"),
        ],
    )
    def test_what_is_refused_stays_typed(self, boss, wrong, says):
        draw = make_draw()
        page = boss.post(url(draw, "change_terms"), self.sent(boss, draw, title="Typed", **wrong))
        assert page.status_code == 200
        assert says in page.content.decode()
        assert page.context["form"]["title"].value() == "Typed"
        assert not DrawChange.objects.exists()

    def test_a_time_that_clocks_skip_or_show_twice_is_refused(self, boss):
        opens = timezone.now()
        draw = make_draw(time_zone="America/Toronto", opens_at=opens - HOUR)
        for wall in ("2027-03-14T02:30", "2027-11-07T01:30"):
            page = boss.post(url(draw, "change_terms"), self.sent(boss, draw, draw_at=wall))
            assert "Clocks in America/Toronto change at this time" in page.content.decode()

    def test_a_draw_in_the_night_when_clocks_go_back_keeps_its_moment(self, boss):
        second_half_past_one = dt.datetime(2027, 11, 7, 6, 30, tzinfo=dt.UTC)
        draw = make_draw(time_zone="America/Toronto", draw_at=second_half_past_one)
        boss.post(url(draw, "change_terms"), self.sent(boss, draw, title="Other"))
        draw.refresh_from_db()
        assert (draw.title, draw.draw_at) == ("Other", second_half_past_one)

    @pytest.mark.parametrize("make", [make_draft, lambda: make_draw(closes_in=-HOUR), make_frozen])
    def test_it_is_not_offered_otherwise_and_a_direct_post_is_refused(self, boss, make):
        draw = make()
        assert boss.get(url(draw, "change_terms")).status_code == 302
        data = {"title": "Other", "rules": "x", "reason": "x", "based_on": "0"}
        times = {name: "2030-01-01T10:00" for name in ("opens_at", "closes_at", "draw_at")}
        boss.post(url(draw, "change_terms"), data | times)
        assert Draw.objects.get(pk=draw.pk).title == draw.title


class TestAnnouncedText:
    def enter(self, client, draw, text=NUMBERS):
        return client.post(url(draw, "enter_text"), {"position": "0", "text": text})

    def test_two_admins_bring_it_in_and_the_draw_is_made(self, client):
        draw = frozen_of_2023([LOTTERY])
        client.force_login(admin())
        assert self.enter(client, draw).url == page_of(draw)
        client.force_login(staff(MANAGER_ADMIN))
        page = client.get(url(draw, "confirm_text")).content.decode()
        assert LOTTERY["label"] in page
        assert NUMBERS not in page
        client.post(url(draw, "confirm_text"), {"text": NUMBERS})
        assert services.execute_due_draws(now=draw.draw_at).draws_processed == 1
        client.logout()
        assert NUMBERS in client.get(reverse("draws:results", args=[draw.slug])).content.decode()

    def test_the_same_admin_cannot_confirm_by_a_direct_post_either(self, boss):
        draw = frozen_of_2023([LOTTERY])
        self.enter(boss, draw)
        page = boss.post(url(draw, "confirm_text"), {"text": NUMBERS}).content.decode()
        assert "another admin has to confirm it" in page
        assert AnnouncedText.objects.get().confirmed_at is None

    @pytest.mark.parametrize("who", [lambda: staff(FINANCE), alice])
    def test_others_can_neither_enter_nor_confirm(self, client, who):
        draw = frozen_of_2023([LOTTERY])
        services.enter_text(draw=draw, position=0, text=NUMBERS, by=admin(), now=draw.draw_at)
        client.force_login(who())
        for act in ("enter_text", "confirm_text"):
            answer = client.post(url(draw, act), {"position": "0", "text": NUMBERS})
            assert answer.status_code in (302, 404)
        assert AnnouncedText.objects.get().confirmed_at is None

    def test_a_wrong_one_is_rejected_with_a_reason(self, boss):
        draw = frozen_of_2023([LOTTERY])
        self.enter(boss, draw, "12 24")
        for both in ({}, {"text": NUMBERS, "rejection": "Half"}):
            assert boss.post(url(draw, "confirm_text"), both).status_code == 200
        boss.post(url(draw, "confirm_text"), {"rejection": "Half of it"})
        assert AnnouncedText.objects.get().rejected_at is not None
        assert self.enter(boss, draw).status_code == 302

    def test_the_page_says_that_the_draw_waits_for_it(self, boss, client):
        draw = frozen_of_2023([LOTTERY])
        services.execute_due_draws(now=draw.draw_at)
        for page in (boss.get(page_of(draw)), client.get(draw.get_absolute_url())):
            text = page.content.decode()
            assert "Waiting for its number" in text
            assert "one admin enters the announced text, another confirms it" in text


class TestCheck:
    def test_the_button_checks_and_says_that_all_holds(self, boss):
        draw = make_executed(prizes=[CASH])
        assert "All holds" in boss.post(url(draw, "check_draw"), follow=True).content.decode()
        assert Record.objects.get(action="draw.checked").actor == admin()

    def test_a_difference_stops_payouts_until_somebody_lets_them_go_on(self, boss):
        draw = make_executed(prizes=[CASH])
        assert boss.get(url(draw, "resume")).status_code == 302
        forge("UPDATE draws_drawreport SET awarded = '{}' WHERE draw_id = %s", draw.pk)
        page = boss.post(url(draw, "check_draw"), follow=True).content.decode()
        assert "1 difference, and unpaid prizes are stopped" in page
        assert "Unpaid prizes of this draw are stopped" in page
        boss.post(url(draw, "resume"), {"reason": "A typo of ours"})
        draw.refresh_from_db()
        assert draw.payouts_stopped_at is None

    def test_only_a_completed_draw_is_checked(self, boss):
        assert boss.get(url(make_frozen(), "check_draw")).status_code == 302


class TestOtherwiseThanAnnounced:
    """The public page and the admin's say what happened."""

    def told(self, client, draw):
        client.logout()
        public = client.get(draw.get_absolute_url(), follow=True).content.decode()
        client.force_login(admin())
        staff_page = client.get(page_of(draw)).content.decode()
        return public, staff_page

    def test_cancelled_after_the_freeze(self, client):
        draw = make_frozen()
        call_off(draw, reason="The sponsor is gone")
        for page in self.told(client, draw):
            assert "The sponsor is gone" in page
            assert "two organisers agreed" in page
        draw.refresh_from_db()
        assert services.execute_due_draws(now=draw.draw_at).draws_processed == 0

    def test_void(self, client):
        draw = make_draw(closes_in=-HOUR)
        services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
        for page in self.told(client, draw):
            assert "Nobody entered, so nothing was drawn" in page

    def test_closed_early_by_hand(self, client):
        draw = make_draw(entrants=3)
        services.freeze_draw(draw_id=draw.pk, by=admin(), reason="The hall is full", now=timezone.now())
        for page in self.told(client, draw):
            assert "Entries closed early" in page
            assert "The hall is full" in page

    def test_moved_by_a_late_freeze(self, client):
        draw = make_draw(entrants=3, closes_in=-5 * HOUR)
        services.freeze_due_draws(now=timezone.now())
        for page in self.told(client, draw):
            assert "Frozen later than announced" in page

    def test_a_freeze_some_seconds_late_is_nothing_to_tell(self, client):
        closed = timezone.now().replace(microsecond=0) - dt.timedelta(seconds=30)
        draw = make_draw(
            entrants=3, opens_at=closed - HOUR, closes_at=closed, draw_at=closed + dt.timedelta(seconds=600)
        )
        services.freeze_draw(draw_id=draw.pk, now=draw.closes_at + dt.timedelta(seconds=5))
        for page in self.told(client, draw):
            assert "Otherwise than announced" not in page

    def test_overdue_and_then_drawn_late(self, client):
        draw = make_frozen()
        for page in self.told(client, draw):
            assert "whenever it is made, the same people win" in page
        services.execute_due_draws(now=timezone.now())
        for page in self.told(client, draw):
            assert "Drawn later than announced" in page
