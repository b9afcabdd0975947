"""What people are told of a draw after its time: what became of its ranks, and what it waits for."""

import datetime as dt

import pytest
from django.urls import reverse
from django.utils import timezone

from draws import services
from draws.models import Award, Draw
from draws.services.history import shown_phase
from draws.services.turns import turns_of
from tests.draws.factories import VOUCHER, add_entry, make_draw, make_executed, make_frozen
from tests.draws.promises import LOTTERY, NUMBERS, frozen_of_2023
from tests.draws.test_exclusions import frozen_pair
from tests.draws.test_losing_a_prize import LATE, standing
from tests.factories import admin, alice, bob, make_user

pytestmark = pytest.mark.django_db


def results(client, draw: Draw) -> str:
    return client.get(reverse("draws:results", args=[draw.slug])).content.decode()


def texts(draw: Draw) -> list[tuple[int, str]]:
    return [(turn.rank, turn.text) for turn in turns_of(draw)]


class TestTurns:
    def test_a_draw_without_any_says_nothing_of_it(self, client):
        draw = make_executed(entrants=5, prizes=[VOUCHER])
        assert turns_of(draw) == []
        assert "What happened since" not in results(client, draw)

    def test_each_step_is_told_with_the_public_id_and_without_a_name(self, client):
        member = make_user(display_name="Secret Person", shows_name=True)
        draw = make_executed(entrants=0, members=[member, alice(), bob()], prizes=[VOUCHER])
        entries = {bytes(entry.pid).hex(): entry for entry in draw.entries.all()}
        services.expire_awards(now=draw.draw_at + LATE)
        second = standing(draw)[0]
        services.decline_award(award=second, member=second.member, now=draw.draw_at + LATE)
        third = standing(draw)[0]
        services.disqualify_winner(award=third, by=admin(), reason="Entered twice", now=draw.draw_at + LATE)
        assert texts(draw) == [
            (0, "Did not claim in time."),
            (1, "Was next in line, and has taken over."),
            (1, "Declined the prize."),
            (2, "Was next in line, and has taken over."),
            (2, "Taken back by the organiser: Entered twice"),
        ]
        html = results(client, draw)
        assert "What happened since: 5 steps" in html
        assert "Taken back by the organiser: Entered twice" in html
        for turn in turns_of(draw):
            assert turn.pid in entries
            assert turn.pid[:12] in html
        assert "Secret" not in html

    def test_who_has_won_in_an_earlier_draw_is_passed_by_with_its_title(self):
        first, second = frozen_pair()
        for draw in (first, second):
            services.execute_draw(draw_id=draw.pk, now=draw.draw_at)
        told = texts(second)
        assert told
        assert {text for _rank, text in told} == {f"Passed by: has won in “{first.title}”."}

    def test_more_ranks_are_told_with_the_reason(self, client):
        draw = make_executed(entrants=5, prizes=[VOUCHER], alternates=0)
        services.decline_award(award=standing(draw)[0], member=None, now=draw.draw_at)
        services.extend_ranks(draw=draw, extra=1, by=admin(), reason="Nobody was left", now=draw.draw_at)
        assert (2, "More ranks were drawn, 2 in all now: Nobody was left") in texts(draw)
        assert "More ranks were drawn" in results(client, draw)

    def test_somebody_entered_before_they_had_an_account_sees_that_they_won(self, client):
        draw = make_draw(closes_in=-dt.timedelta(hours=1), prizes=[VOUCHER])
        add_entry(draw, "later@example.com")
        services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
        services.execute_draw(draw_id=draw.pk, now=draw.draw_at + dt.timedelta(minutes=30))
        assert "That is you!" not in results(client, draw)
        client.force_login(make_user(email="later@example.com"))
        assert "That is you!" in results(client, draw)


class TestWaiting:
    def test_a_draw_whose_text_is_missing_is_not_said_to_be_turning(self, client):
        draw = frozen_of_2023([LOTTERY])
        now = timezone.now()
        assert (draw.phase(now), shown_phase(draw, now=now)) == ("drawing", "waiting")
        page = client.get(draw.get_absolute_url()).content.decode()
        assert "It waits for its number" in page
        assert "The drum is turning" not in page
        assert 'data-phase="waiting" data-moving' in page
        listed = client.get(reverse("draws:list")).content.decode()
        assert "Drawn as soon as its number is known" in listed

    def test_with_its_number_there_it_is_drawing(self):
        draw = frozen_of_2023([LOTTERY])
        text = services.enter_text(draw=draw, position=0, text=NUMBERS, by=admin(), now=timezone.now())
        other = make_user(is_staff=True)
        services.confirm_text(entered=text, text=NUMBERS, by=other, now=timezone.now())
        assert shown_phase(draw, now=timezone.now()) == "drawing"

    def test_a_number_of_our_own_is_never_waited_for(self):
        assert shown_phase(make_frozen(), now=timezone.now()) == "drawing"


class TestStaff:
    @pytest.fixture
    def boss(self, client):
        client.force_login(admin())
        return client

    def test_the_home_asks_another_admin_to_confirm_a_text(self, boss):
        draw = frozen_of_2023([LOTTERY])
        other = make_user(is_staff=True, display_name="Maina V.")
        services.enter_text(draw=draw, position=0, text=NUMBERS, by=other, now=timezone.now())
        page = boss.get(reverse("admin:index")).content.decode()
        assert "Maina V. has entered the announced text" in page
        assert "for you to confirm" in page
        assert NUMBERS not in page

    def test_the_list_of_awards_names_the_draw_of_each(self, boss, django_assert_max_num_queries):
        draws = [make_executed(entrants=4, prizes=[VOUCHER], title=f"Evening {n}") for n in range(3)]
        Award.objects.create(
            key="other", about="events.show:1", pool="x", title="Mug", kind="physical", state="claimable",
            created_at=timezone.now(),
        )  # fmt: skip
        with django_assert_max_num_queries(12):
            page = boss.get(reverse("admin:draws_award_changelist")).content.decode()
        for draw in draws:
            assert draw.title in page
        assert "events.show:1" in page
