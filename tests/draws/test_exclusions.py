"""Draws of one series: one public id per person, and winners who can't win again."""

import uuid

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.models import Record
from draws import services, vwd1
from draws.models import Draw, Entry, ImportRejection, Winner
from draws.services import NewEntry
from draws.services.checks import execution_checks
from tests.draws.factories import (
    CASH,
    HOUR,
    call_off,
    fund,
    import_csv,
    make_draft,
    make_draw,
    winners_of,
)
from tests.draws.promises import assert_verifies
from tests.factories import admin, alice, make_user

pytestmark = pytest.mark.django_db
THINGS = [("Mug", "physical", 0, 3)]


def series_of(first: Draw, **fields) -> Draw:
    """A published draw of the same series, drawn after the first."""
    return make_draw(scope=first.scope, **fields)


def copy_entries(source: Draw, target: Draw) -> None:
    """The people of one draw, as a list of another app would bring them into the other."""
    rows = [
        Entry(
            draw=target,
            identity=entry.identity,
            member=entry.member,
            pid=entry.pid,
            salt=entry.salt,
            weight=entry.weight,
            entered_at=target.opens_at,
        )
        for entry in source.entries.all()
    ]
    Entry.objects.bulk_create(rows)


def frozen_pair(*, entrants: int = 12, **fields):
    """Two frozen draws over the same people, the second skipping the winners of the first."""
    first = make_draw(prizes=THINGS, closes_in=-3 * HOUR, entrants=entrants)
    second = series_of(first, prizes=THINGS, closes_in=-2 * HOUR, excludes=[str(first.public_id)], **fields)
    copy_entries(first, second)
    for draw in (first, second):
        services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
        draw.refresh_from_db()
    return first, second


class TestOnePublicId:
    def test_a_member_is_the_same_in_every_draw_of_a_series_and_another_elsewhere(self):
        first = make_draw()
        second, elsewhere = series_of(first), make_draw()
        entries = [
            services.enter_draw(draw=draw, member=alice(), now=timezone.now())
            for draw in (first, second, elsewhere)
        ]
        assert entries[0].pid_hex == entries[1].pid_hex != entries[2].pid_hex
        assert bytes(entries[0].salt) == bytes(entries[1].salt) != bytes(entries[2].salt)

    def test_whoever_changed_their_address_meanwhile_is_still_the_same(self):
        first = make_draw()
        second = series_of(first)
        member = make_user(email="before@example.com")
        entered = services.enter_draw(draw=first, member=member, now=timezone.now())
        member.email = "after@example.com"
        member.save()
        member.emailaddress_set.update(email="after@example.com")
        again = services.enter_draw(draw=second, member=member, now=timezone.now())
        assert again.pid_hex == entered.pid_hex
        assert vwd1.public_id(
            scope=str(second.scope), salt=bytes(again.salt), identity=again.identity
        ) == bytes(again.pid)

    def test_lists_find_the_salts_of_the_series_and_refused_lines_are_still_named(self):
        first = make_draw()
        import_csv(first, "a@example.org\nb@example.org\n")
        second = series_of(first)
        services.enter_draw(draw=second, member=alice(), now=timezone.now())
        services.add_entries(draw=second, entries=[NewEntry("b@example.org")], now=timezone.now())
        report = import_csv(second, "a@example.org\nb@example.org\nc@example.org\na@example.org\n")
        assert (report.accepted, report.rejected) == (2, 2)
        reasons = dict(ImportRejection.objects.filter(entry_import=report).values_list("line", "reason"))
        assert reasons == {
            2: "This person is in the draw already.",
            4: "This person stands in line 1 already.",
        }
        pids = [dict(draw.entries.values_list("identity", "pid")) for draw in (first, second)]
        for identity in ("a@example.org", "b@example.org"):
            assert bytes(pids[0][identity]) == bytes(pids[1][identity])
        for entry in second.entries.all():
            assert bytes(entry.pid) == vwd1.public_id(
                scope=str(first.scope), salt=bytes(entry.salt), identity=entry.identity
            )

    def test_an_erased_person_is_met_anew(self):
        first = make_draw()
        import_csv(first, "a@example.org\n")
        old = bytes(first.entries.get().pid)
        first.entries.update(identity=None, salt=None, name="")
        second = series_of(first)
        import_csv(second, "a@example.org\n")
        assert bytes(second.entries.get().pid) != old


class TestPublishing:
    def test_the_draws_it_skips_are_of_the_same_series_published_and_earlier(self):
        first = make_draw()
        stranger = make_draw()
        draft = make_draft(scope=first.scope)
        for wrong, says in (
            (stranger, "not of the same series"),
            (draft, "Publish"),
        ):
            later = make_draft(scope=first.scope, closes_in=2 * HOUR, excludes=[str(wrong.public_id)])
            fund(later)
            with pytest.raises(services.PublishError, match=says):
                services.publish_draw(draw=later, by=admin(), now=timezone.now())
        early = make_draft(scope=first.scope, closes_in=HOUR / 2, excludes=[str(first.public_id)])
        fund(early)
        with pytest.raises(services.PublishError, match="must be drawn before"):
            services.publish_draw(draw=early, by=admin(), now=timezone.now())

    @pytest.mark.parametrize("twice", [True, False])
    def test_a_draw_that_is_not_there_or_named_twice_is_refused(self, twice):
        first = make_draw()
        names = [str(first.public_id)] * 2 if twice else [str(uuid.uuid4())]
        draft = make_draft(scope=first.scope, closes_in=2 * HOUR, excludes=names)
        fund(draft)
        with pytest.raises(services.PublishError, match="named twice, or isn't there"):
            services.publish_draw(draw=draft, by=admin(), now=timezone.now())

    def test_extra_ranks_make_room_for_the_winners_that_are_skipped(self):
        first = make_draw(prizes=THINGS)
        second = series_of(first, prizes=[CASH], closes_in=2 * HOUR, excludes=[str(first.public_id)])
        assert (first.alternates, second.alternates) == (3, 6)

    def test_whom_it_skips_never_changes_once_it_is_published(self):
        first = make_draw(prizes=THINGS)
        second = series_of(first, prizes=[CASH], closes_in=2 * HOUR, excludes=[str(first.public_id)])
        with pytest.raises(IntegrityError, match="whose winners it skips"), transaction.atomic():
            Draw.objects.filter(pk=second.pk).update(excludes=[])


class TestExecuting:
    def test_winners_of_the_first_are_passed_by_with_the_reason_and_the_verifier_agrees(self, tmp_path):
        first, second = frozen_pair()
        assert second.manifest["excludes"] == [str(first.public_id)]
        assert services.execute_due_draws(now=second.draw_at).draws_processed == 2
        won_first = {pid for _slot, _rank, pid, _prize in winners_of(first)}
        won_second = {pid for _slot, _rank, pid, _prize in winners_of(second)}
        assert len(won_first) == len(won_second) == 3
        assert not won_first & won_second
        second.refresh_from_db()
        proof = services.proof_of(second)
        skipped = {row["rank"]: row["pid"] for row in proof["ranks"] if row["pid"] in won_first}
        assert skipped, "nine ranks of twelve people: one of three winners must be among them"
        assert [(item["rank"], item["state"], item["reason"]) for item in proof["dispositions"]] == [
            (rank, "excluded", f"winner of draw {first.public_id}") for rank in sorted(skipped)
        ]
        trail = Record.objects.filter(action="draw.rank_excluded", target=second.about)
        assert sorted(record.data["rank"] for record in trail) == sorted(skipped)
        assert_verifies(second, tmp_path)
        assert_verifies(first, tmp_path)

    def test_a_winner_who_lost_the_first_prize_may_win_again(self, tmp_path):
        first, second = frozen_pair(entrants=4)
        services.execute_draw(draw_id=first.pk, now=first.draw_at)
        Winner.objects.filter(draw=first, slot=0).update(state=Winner.State.DECLINED)
        free = Winner.objects.get(draw=first, slot=0).entry.pid_hex
        services.execute_draw(draw_id=second.pk, now=second.draw_at)
        won = {pid for _slot, _rank, pid, _prize in winners_of(second)}
        assert free in won
        assert len(won) == 2  # four people, two of whom still stand as winners of the first
        assert_verifies(second, tmp_path)

    def test_when_nobody_is_left_the_slots_stay_empty(self, tmp_path):
        _first, second = frozen_pair(entrants=3)
        services.execute_due_draws(now=second.draw_at)
        assert winners_of(second) == []
        assert_verifies(second, tmp_path)

    def test_it_waits_until_the_first_is_drawn(self):
        first, second = frozen_pair()
        Draw.objects.filter(pk=first.pk).update(next_attempt_at=second.draw_at + HOUR)  # it failed, say
        summary = services.execute_due_draws(now=second.draw_at)
        assert (summary.draws_processed, summary.failed) == (0, 1)
        [mend] = [
            check.mend
            for check in execution_checks(second, now=second.draw_at)
            if check.key == "excludes" and not check.ok
        ]
        assert mend == f"Wait until “{first}” is drawn."
        Draw.objects.update(next_attempt_at=None)
        assert services.execute_due_draws(now=second.draw_at).draws_processed == 2

    def test_a_first_draw_that_is_called_off_holds_nobody_up(self, tmp_path):
        first, second = frozen_pair()
        call_off(first)
        services.execute_due_draws(now=second.draw_at)
        second.refresh_from_db()
        assert len(winners_of(second)) == 3
        assert_verifies(second, tmp_path)

    def test_a_winner_replaced_later_changes_no_draw_already_made(self, tmp_path):
        first, second = frozen_pair()
        services.execute_due_draws(now=second.draw_at)
        before = winners_of(second)
        Winner.objects.filter(draw=first, slot=0).update(state=Winner.State.DECLINED)
        assert winners_of(second) == before
        assert_verifies(second, tmp_path)
