"""Where the number comes from: chosen, collected before the draw, revealed with it, and never replaced."""

import datetime as dt

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.roles import MANAGER_ADMIN
from audit.models import Record
from draws import services
from draws.models import AnnouncedText, DrandRound, Draw
from draws.services import randomness
from draws.services.checks import execution_checks
from notifications.models import Message
from tests.draws.admin_pages import staff
from tests.draws.factories import CASH, fund, make_draft, make_draw, make_executed
from tests.draws.promises import (
    DRAND,
    DRAW_AT,
    LOTTERY,
    NUMBERS,
    ROUND,
    assert_verifies,
    draft_of_2023,
    frozen_of_2023,
    run_verifier,
)
from tests.draws.vwd1_values import DRAND_ROUNDS
from tests.factories import admin, make_user
from tests.fakes.drand import FakeRelay, Trick

pytestmark = pytest.mark.django_db
SECOND = dt.timedelta(seconds=1)


@pytest.fixture
def relay(settings):
    with FakeRelay() as fake:
        settings.DRAND_RELAYS = [fake.url]
        yield fake


def second_admin():
    return staff(MANAGER_ADMIN)


def announce(draw, *, position=0, text=NUMBERS, by=None, confirmed_by=None):
    entered = services.enter_text(draw=draw, position=position, text=text, by=by or admin(), now=draw.draw_at)
    return services.confirm_text(
        entered=entered, text=text, by=confirmed_by or second_admin(), now=draw.draw_at
    )


def unmet(draw, now):
    return {check.key: check.mend for check in execution_checks(draw, now=now) if not check.ok}


class TestChoosing:
    def test_by_default_the_site_commits_to_a_number(self, settings):
        settings.DRAND_RELAYS = []
        assert make_draw().source_types == ["commit"]

    def test_with_relays_the_default_is_drand_and_no_secret_is_made(self, settings):
        settings.DRAND_RELAYS = ["https://relay.example"]
        draw = make_draw()
        assert (draw.source_types, draw.secret_encrypted, draw.commitment) == (["drand"], "", "")

    def test_a_draft_may_choose_several_in_an_order(self, relay):
        draw = frozen_of_2023([LOTTERY, *DRAND, {"type": "commit"}])
        assert [source["type"] for source in draw.manifest["randomness"]] == [
            "public_text",
            "drand",
            "commit",
        ]
        assert draw.manifest["randomness"][1]["round"] == ROUND

    @pytest.mark.parametrize(
        ("chosen", "says"),
        [
            (DRAND, "Set DRAND_RELAYS"),
            ([{"type": "public_text", "label": " "}], "Say which announced text"),
            ([{"type": "dice"}], "no source of randomness"),
        ],
    )
    def test_what_cannot_be_kept_is_not_promised(self, settings, chosen, says):
        settings.DRAND_RELAYS = []
        draw = make_draft(randomness=chosen)
        fund(draw)
        with pytest.raises(services.PublishError, match=says):
            services.publish_draw(draw=draw, by=admin(), now=draw.opens_at)

    def test_the_choice_stays_once_published(self):
        draw = make_draw()
        with pytest.raises(IntegrityError), transaction.atomic():
            Draw.objects.filter(pk=draw.pk).update(randomness=DRAND)
        with pytest.raises(IntegrityError), transaction.atomic():
            Draw.objects.filter(pk=draw.pk).update(sources=DRAND)

    def test_a_draw_that_moves_takes_the_round_of_its_new_time(self, relay):
        draw = draft_of_2023(DRAND, closes_at=DRAW_AT - dt.timedelta(hours=1))
        fund(draw)
        draw = services.publish_draw(draw=draw, by=admin(), now=draw.opens_at)
        services.change_draw(
            draw=draw,
            changes=services.DrawChanges(draw_at=DRAW_AT + dt.timedelta(seconds=30)),
            by=admin(),
            reason="The hall is taken",
            now=draw.opens_at,
        )
        draw.refresh_from_db()
        assert randomness.manifest_sources(draw)[0]["round"] == ROUND + 10


class TestDrand:
    def test_the_round_is_fetched_stored_and_drawn_with(self, relay, tmp_path):
        draw = frozen_of_2023(DRAND)
        assert services.execute_due_draws(now=DRAW_AT).draws_processed == 1
        stored = DrandRound.objects.get()
        assert (stored.number, stored.signature) == (ROUND, DRAND_ROUNDS[ROUND][0])
        draw.refresh_from_db()
        assert draw.report.proof["revealed"] == [
            {
                "type": "drand",
                "value": DRAND_ROUNDS[ROUND][1],
                "round": ROUND,
                "signature": DRAND_ROUNDS[ROUND][0],
            }
        ]
        assert_verifies(draw, tmp_path)

    def test_draws_of_one_moment_share_one_fetch(self, relay):
        frozen_of_2023(DRAND)
        frozen_of_2023(DRAND)
        assert services.execute_due_draws(now=DRAW_AT).draws_processed == 2
        assert len(relay.asked) == 1

    def test_before_the_round_is_out_nobody_is_asked_and_nothing_failed(self, relay):
        draw = frozen_of_2023(DRAND, draw_at=DRAW_AT - SECOND)
        assert draw.manifest["randomness"][0]["round"] == ROUND
        summary = services.execute_due_draws(now=DRAW_AT - SECOND)
        assert (summary.draws_processed, summary.failed, relay.asked) == (0, 0, [])
        draw.refresh_from_db()
        assert (draw.execution_error, draw.attempts) == ("", 0)
        assert "comes out at" in unmet(draw, DRAW_AT - SECOND)["randomness:outside"]
        assert services.execute_due_draws(now=DRAW_AT).draws_processed == 1

    @pytest.mark.parametrize(
        "trick", [Trick.LATE, Trick.WRONG_ROUND, Trick.WRONG_SIGNATURE, Trick.HTML, Trick.ERROR]
    )
    def test_without_the_round_the_draw_waits_says_so_and_comes_later(self, relay, trick, tmp_path):
        draw = frozen_of_2023([*DRAND, {"type": "commit"}])
        relay.trick = trick
        summary = services.execute_due_draws(now=DRAW_AT)
        assert (summary.draws_processed, summary.failed) == (0, 1)
        draw.refresh_from_db()
        assert draw.status == Draw.Status.ACTIVE
        assert f"Round {ROUND} of drand can't be had" in draw.execution_error
        assert not DrandRound.objects.exists()
        assert "not fetched yet" in unmet(draw, DRAW_AT)["randomness:outside"]
        assert Message.objects.filter(kind="draws.execution_failed", about=draw.about).count() == 1
        relay.trick = None
        assert services.execute_due_draws(now=draw.next_attempt_at).draws_processed == 1
        assert_verifies(draw, tmp_path)
        draw.refresh_from_db()
        assert draw.execution_error == ""

    def test_a_relay_that_never_answers_makes_it_wait_too(self, relay, monkeypatch):
        monkeypatch.setattr("draws.relays.TIMEOUT_S", 0.2)
        monkeypatch.setattr(randomness.relays.fetch_round, "__kwdefaults__", {"timeout_s": 0.2})
        draw = frozen_of_2023(DRAND)
        relay.trick = Trick.STALL
        assert services.execute_due_draws(now=DRAW_AT).failed == 1
        draw.refresh_from_db()
        assert "no answer within" in draw.execution_error

    def test_a_dead_relay_holds_up_no_draw_that_does_not_need_it(self, relay):
        relay.trick = Trick.ERROR
        waiting = frozen_of_2023(DRAND)
        other = frozen_of_2023([{"type": "commit"}], draw_at=DRAW_AT + SECOND)
        order = []
        before = services.executing.execute_draw

        def noted(**arguments):
            order.append(arguments["draw_id"])
            return before(**arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(services.executing, "execute_draw", noted)
            services.execute_due_draws(now=DRAW_AT + SECOND)
        assert order == [other.pk, waiting.pk]
        other.refresh_from_db()
        assert other.status == Draw.Status.COMPLETED

    def test_by_hand_the_answer_goes_to_who_asked_and_nothing_is_written_down(self, relay):
        draw = frozen_of_2023(DRAND)
        relay.trick = Trick.ERROR
        with pytest.raises(services.RandomnessError, match="status 500"):
            services.execute_draw(draw_id=draw.pk, by=admin(), reason="Now", now=DRAW_AT)
        with pytest.raises(services.ExecutionError, match="comes out at"):
            services.execute_draw(
                draw_id=draw.pk, by=admin(), reason="Now", now=DRAW_AT - dt.timedelta(minutes=10)
            )
        draw.refresh_from_db()
        assert (draw.execution_error, draw.attempts) == ("", 0)

    def test_the_network_is_never_talked_to_within_a_transaction(self, relay, monkeypatch):
        depth = len(connection.savepoint_ids)  # the test's own
        seen = []
        fetch = randomness.relays.fetch_round

        def noted(**arguments):
            seen.append(len(connection.savepoint_ids) - depth)
            return fetch(**arguments)

        monkeypatch.setattr(randomness.relays, "fetch_round", noted)
        frozen_of_2023(DRAND)
        services.execute_due_draws(now=DRAW_AT)
        assert seen == [0]

    def test_a_stored_round_that_was_forged_is_not_drawn_with(self, relay):
        draw = frozen_of_2023(DRAND)
        DrandRound.objects.create(
            number=ROUND, signature=DRAND_ROUNDS[123][0], relay="forged", collected_at=timezone.now()
        )
        assert services.execute_due_draws(now=DRAW_AT).failed == 1
        draw.refresh_from_db()
        assert "signature is not quicknet's" in draw.execution_error
        assert draw.status == Draw.Status.ACTIVE

    def test_a_stored_round_never_changes(self, relay):
        frozen_of_2023(DRAND)
        services.execute_due_draws(now=DRAW_AT)
        for change in (
            lambda: DrandRound.objects.update(signature="00" * 48),
            lambda: DrandRound.objects.all().delete(),
        ):
            with pytest.raises(IntegrityError), transaction.atomic():
                change()


class TestPublicText:
    def test_one_admin_enters_another_confirms_and_it_is_drawn(self, tmp_path):
        draw = frozen_of_2023([LOTTERY])
        assert services.execute_due_draws(now=DRAW_AT).failed == 1
        draw.refresh_from_db()
        assert "one admin enters the announced text" in draw.execution_error
        announce(draw)
        assert services.execute_due_draws(now=DRAW_AT).draws_processed == 1
        assert_verifies(draw, tmp_path, "--public-text", NUMBERS)
        assert run_verifier(draw, tmp_path, "--public-text", "1 2 3").returncode == 1

    def test_with_all_three_sources_in_order_the_verifier_is_content(self, relay, tmp_path):
        draw = frozen_of_2023([LOTTERY, {"type": "commit"}, *DRAND])
        announce(draw)
        services.execute_due_draws(now=DRAW_AT)
        assert_verifies(draw, tmp_path, "--public-text", NUMBERS)
        assert [item["type"] for item in draw.report.proof["revealed"]] == ["public_text", "commit", "drand"]

    def test_two_texts_are_told_apart_by_their_place(self, tmp_path):
        other = {"type": "public_text", "label": "Weather in Mombasa"}
        draw = frozen_of_2023([LOTTERY, other])
        announce(draw, position=1, text="31.4")
        assert services.execute_due_draws(now=DRAW_AT).draws_processed == 0
        announce(draw, position=0, confirmed_by=admin(), by=make_user(is_staff=True))
        Draw.objects.update(next_attempt_at=None)
        assert services.execute_due_draws(now=DRAW_AT).draws_processed == 1
        assert_verifies(draw, tmp_path, "--public-text", NUMBERS, "--public-text", "31.4")

    def test_the_same_admin_cannot_confirm(self):
        draw = frozen_of_2023([LOTTERY])
        entered = services.enter_text(draw=draw, position=0, text=NUMBERS, by=admin(), now=DRAW_AT)
        with pytest.raises(services.RandomnessError, match="another admin has to confirm"):
            services.confirm_text(entered=entered, text=NUMBERS, by=admin(), now=DRAW_AT)
        with pytest.raises(IntegrityError, match="two_people"), transaction.atomic():
            AnnouncedText.objects.update(confirmed_by=admin(), confirmed_at=DRAW_AT)
        assert services.execute_due_draws(now=DRAW_AT).draws_processed == 0

    def test_confirming_takes_typing_it_again(self):
        draw = frozen_of_2023([LOTTERY])
        entered = services.enter_text(draw=draw, position=0, text=f" {NUMBERS} ", by=admin(), now=DRAW_AT)
        assert entered.text == NUMBERS
        with pytest.raises(services.RandomnessError, match="one of you mistyped"):
            services.confirm_text(entered=entered, text="12 24 31 40 41 48", by=second_admin(), now=DRAW_AT)

    def test_a_mistyped_text_is_rejected_and_entered_anew(self):
        draw = frozen_of_2023([LOTTERY])
        wrong = services.enter_text(draw=draw, position=0, text="12 24", by=admin(), now=DRAW_AT)
        with pytest.raises(services.RandomnessError, match="entered already"):
            services.enter_text(draw=draw, position=0, text=NUMBERS, by=second_admin(), now=DRAW_AT)
        services.reject_text(entered=wrong, by=second_admin(), reason="Half of it", now=DRAW_AT)
        announce(draw)
        assert services.execute_due_draws(now=DRAW_AT).draws_processed == 1
        assert AnnouncedText.objects.count() == 2

    def test_a_confirmed_text_stays(self):
        draw = frozen_of_2023([LOTTERY])
        confirmed = announce(draw)
        with pytest.raises(services.RandomnessError, match="already"):
            services.reject_text(entered=confirmed, by=admin(), reason="I like another", now=DRAW_AT)
        for change in (
            lambda: AnnouncedText.objects.update(text="1 2 3"),
            lambda: AnnouncedText.objects.update(rejected_at=DRAW_AT),
            lambda: AnnouncedText.objects.all().delete(),
        ):
            with pytest.raises(IntegrityError), transaction.atomic():
                change()

    def test_it_is_not_entered_before_entries_are_frozen(self):
        draw = draft_of_2023([LOTTERY])
        fund(draw)
        draw = services.publish_draw(draw=draw, by=admin(), now=draw.opens_at)
        with pytest.raises(services.RandomnessError, match="after entries are frozen"):
            services.enter_text(draw=draw, position=0, text=NUMBERS, by=admin(), now=draw.opens_at)

    @pytest.mark.parametrize("text", ["", "   ", "two\nlines", "x" * 501])
    def test_a_text_is_one_line(self, text):
        draw = frozen_of_2023([LOTTERY])
        with pytest.raises(services.RandomnessError, match="one line"):
            services.enter_text(draw=draw, position=0, text=text, by=admin(), now=DRAW_AT)

    def test_the_trail_has_who_and_not_the_text(self):
        announce(frozen_of_2023([LOTTERY]))
        trail = Record.objects.filter(action__startswith="draw.text_")
        assert {record.action: record.actor for record in trail} == {
            "draw.text_entered": admin(),
            "draw.text_confirmed": second_admin(),
        }
        assert NUMBERS not in str([record.data for record in trail])


def test_a_committed_draw_still_verifies(tmp_path):
    assert_verifies(make_executed(prizes=[CASH]), tmp_path)
