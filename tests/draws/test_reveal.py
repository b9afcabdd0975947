"""The winners of a draw just made, one after another: when each is shown, what pages are told, and who is named."""

import datetime as dt
import json

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from draws import services
from draws.models import Draw
from draws.reveal import LEAD, MOST_SHOWN, schedule_of
from draws.services import revealing
from draws.services.revealing import reveal_of
from notifications.live import fits, read_token
from tests.draws.factories import CASH, VOUCHER, make_draw, make_executed, make_frozen
from tests.factories import alice, bob

AT = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


def drawn_now(**fields) -> Draw:
    """A draw that was made a moment ago."""
    draw = make_frozen(**fields)
    services.execute_draw(draw_id=draw.pk, now=timezone.now())
    draw.refresh_from_db()
    return draw


class TestSchedule:
    @given(st.integers(1, MOST_SHOWN))
    def test_each_winner_has_a_moment_and_all_of_them_have_a_minute(self, count):
        schedule = schedule_of(executed_at=AT, count=count)
        assert schedule.begins_at - AT == LEAD
        assert dt.timedelta(seconds=1.5) <= schedule.step <= dt.timedelta(seconds=4)
        assert schedule.ends_at - schedule.begins_at <= MINUTE
        moments = [schedule.begins_at + number * schedule.step for number in range(count)]
        hair = dt.timedelta(microseconds=1)
        assert [schedule.shown_by(at - hair) for at in moments] == list(range(count))
        assert [schedule.shown_by(at) for at in moments] == list(range(1, count + 1))
        assert schedule.shown_by(schedule.ends_at + MINUTE) == count

    @pytest.mark.parametrize("count", [0, MOST_SHOWN + 1])
    def test_it_is_for_no_other_number(self, count):
        with pytest.raises(ValueError):
            schedule_of(executed_at=AT, count=count)


@pytest.mark.django_db
class TestRevealOf:
    def test_the_main_prize_comes_last_and_nobody_is_named_otherwise_than_in_the_results(self):
        draw = drawn_now(entrants=0, members=[alice(), bob()], prizes=[CASH, VOUCHER])
        assert draw.executed_at
        reveal = reveal_of(draw, now=draw.executed_at)
        assert reveal
        assert [row["slot"] for row in reveal["winners"]] == [1, 0]
        assert [(row["prize"], row["amount"]) for row in reveal["winners"]] == [
            ("Dinner for two", ""),
            ("Main prize", "KES 1,000.00"),
        ]
        standing = {winner.slot: winner for winner in draw.winners.select_related("entry__member")}
        for row in reveal["winners"]:
            assert row["name"] == standing[row["slot"]].display_name
            assert row["pid"] == standing[row["slot"]].entry.pid_hex[:12]
        assert "Alice W." in json.dumps(reveal)
        assert "Bob" not in json.dumps(reveal)

    def test_there_is_none_before_the_draw_and_none_a_minute_later(self):
        frozen = make_frozen()
        assert reveal_of(frozen, now=timezone.now()) is None
        draw = drawn_now(prizes=[CASH])
        assert draw.executed_at
        ends_at = schedule_of(executed_at=draw.executed_at, count=1).ends_at
        assert reveal_of(draw, now=ends_at - dt.timedelta(microseconds=1))
        assert reveal_of(draw, now=ends_at) is None

    def test_of_many_winners_the_first_are_shown_and_the_others_counted(self):
        draw = drawn_now(entrants=50, prizes=[("Cup", "voucher", 0, MOST_SHOWN + 3)])
        reveal = reveal_of(draw, now=draw.executed_at)
        assert reveal
        assert [row["slot"] for row in reveal["winners"]] == list(reversed(range(MOST_SHOWN)))
        assert reveal["more"] == 3
        assert fits({"reveal": reveal})


@pytest.mark.django_db
class TestPage:
    def state(self, client, draw):
        answer = client.get(f"/draws/{draw.slug}/live/")
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.json()

    @pytest.mark.parametrize("make", [make_draw, make_frozen])
    def test_before_the_draw_it_is_told_its_phase_and_what_to_listen_with_and_no_name(self, client, make):
        draw = make(entrants=0, members=[alice()])
        page = client.get(f"/draws/{draw.slug}/").content.decode()
        state = self.state(client, draw)
        assert read_token(state["token"], timezone.now()).topics == (f"draw:{draw.slug}",)
        assert state["reveal"] is None
        assert "Alice W." not in page + json.dumps(state)
        assert "badge--live" not in page or state["phase"] == "drawing"
        assert 'id="draw-live"' in page

    def test_who_waits_for_the_winners_is_counted_and_nobody_else(self, client):
        for draw, counted in ((make_draw(), False), (make_frozen(), True)):
            grant = read_token(self.state(client, draw)["token"], timezone.now())
            assert (bool(grant.counted), grant.shown_as, grant.sees_who) == (counted, "", False)

    def test_while_the_winners_are_shown_it_has_what_it_takes(self, client):
        draw = drawn_now(entrants=3, prizes=[CASH])
        assert len(self.state(client, draw)["reveal"]["winners"]) == 1
        page = client.get(f"/draws/{draw.slug}/").content.decode()
        assert 'id="draw-live"' in page
        assert "See the winners" in page  # for who has no script

    def test_a_draw_that_is_over_needs_no_stream(self, client):
        draw = make_executed(prizes=[CASH])
        assert self.state(client, draw) | {"last": 0, "now": 0} == {
            "phase": "completed",
            "token": None,
            "last": 0,
            "now": 0,
            "reveal": None,
        }
        assert 'id="draw-live"' not in client.get(f"/draws/{draw.slug}/").content.decode()

    def test_nobody_learns_of_a_draft(self, client):
        assert client.get("/draws/no-such-draw/live/").status_code == 404


class TestTelling:
    @pytest.fixture
    def told(self, monkeypatch):
        told = []
        monkeypatch.setattr(
            revealing, "publish", lambda topic, event, data: told.append((topic, event, data))
        )
        return told

    def test_open_pages_are_told_of_freeze_and_draw_when_they_are_committed(self, cloned_db, told):
        draw = make_draw(entrants=3, prizes=[CASH], closes_in=-2 * dt.timedelta(hours=1))
        services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
        assert [event for _topic, event, _data in told] == ["phase"]
        services.execute_draw(draw_id=draw.pk, now=timezone.now())
        topic, event, data = told[-1]
        assert (topic, event) == (f"draw:{draw.slug}", "drawn")
        assert [row["slot"] for row in data["reveal"]["winners"]] == [0]

    def test_what_is_too_long_to_be_told_is_to_be_asked_for(self, cloned_db, told, monkeypatch):
        monkeypatch.setattr(revealing, "fits", lambda data: False)
        draw = drawn_now(prizes=[CASH])
        assert told[-1] == (f"draw:{draw.slug}", "drawn", {"spread": 3})

    def test_a_draw_stands_when_nobody_can_be_told(self, cloned_db, monkeypatch):
        def broken(*args):
            raise OSError

        monkeypatch.setattr(revealing, "publish", broken)
        draw = drawn_now(prizes=[CASH])
        assert (draw.status, draw.execution_error) == (Draw.Status.COMPLETED, "")
