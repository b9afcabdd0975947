"""Prizes that are not claimed, declined or taken back: who follows, where the money is, and a proof that holds."""

import datetime as dt

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from audit.models import Record
from draws import services, sources
from draws.models import Award, Draw, Entry, ExtraRank, PrizeAddress, Winner
from draws.services import losing
from draws.sources import SourceError, register_source, source_named
from notifications.models import Delivery, Message
from notifications.services.expansion import expand_due_messages
from payments import pools
from payments.models import LedgerEntry
from tests.draws.factories import CASH, SMALL, VOUCHER, balance, make_executed, pool_of
from tests.draws.proofs import assert_proof_holds, dispositions, holders
from tests.draws.test_claim import ADDRESS, BICYCLE
from tests.draws.test_exclusions import frozen_pair
from tests.factories import admin, alice, bob, make_user

pytestmark = pytest.mark.django_db

LATE = dt.timedelta(days=15)


def standing(draw: Draw) -> list[Award]:
    """The awards that have not ended, by slot."""
    return [
        winner.award
        for winner in draw.winners.filter(state__in=Winner.STANDING).select_related("award").order_by("slot")
    ]


def expire(draw: Draw, rounds: int) -> None:
    """Let `rounds` windows of claiming pass without anybody claiming; the proof holds after each."""
    for number in range(1, rounds + 1):
        services.expire_awards(now=draw.draw_at + number * LATE)
        assert_proof_holds(draw)


class TestExpiry:
    def test_the_next_unused_rank_takes_over_and_nobody_else_moves(self):
        draw = make_executed(entrants=8, prizes=[CASH, SMALL])
        first, second, _third = standing(draw)
        services.claim_award(award=second, member=make_user(email=second.identity), now=draw.draw_at)
        summary = services.expire_awards(now=draw.draw_at + LATE)
        assert summary == services.ExpirySummary(expired=2)
        assert holders(draw) == {0: 3, 1: 1, 2: 4}
        assert dispositions(draw) == [
            (0, "forfeited", ""),
            (2, "forfeited", ""),
            (3, "promoted", "slot 0"),
            (4, "promoted", "slot 2"),
        ]
        first.refresh_from_db()
        assert (first.state, first.ended_as) == (Award.State.EXPIRED, Award.Ending.FORFEITED)
        assert first.reversal.kind == "prize.forfeited"
        assert pool_of(draw) == (0, 0, 110_000)
        assert Record.objects.filter(action="award.forfeited").count() == 2
        assert Record.objects.filter(action="draw.rank_promoted", target=draw.about).count() == 2
        assert_proof_holds(draw)

    def test_running_it_again_does_nothing(self):
        draw = make_executed(entrants=8, prizes=[CASH])
        now = draw.draw_at + LATE
        assert services.expire_awards(now=now).expired == 1
        assert services.expire_awards(now=now).expired == 0
        assert Message.objects.filter(kind="draws.prize_forfeited").count() == 1

    def test_many_expire_in_batches(self, monkeypatch):
        monkeypatch.setattr(losing, "BATCH", 3)
        draw = make_executed(entrants=30, prizes=[("Many", "cash", 100, 10)])
        assert services.expire_awards(now=draw.draw_at + LATE).expired == 10
        assert holders(draw) == {slot: slot + 10 for slot in range(10)}
        assert pool_of(draw) == (0, 0, 1000)
        assert_proof_holds(draw)

    def test_one_draw_that_fails_does_not_stop_another(self):
        broken = make_executed(entrants=8, prizes=[CASH])
        whole = make_executed(entrants=8, prizes=[CASH])
        broken.dispositions.create(rank=5, state="promoted", reason="slot 9", at=broken.draw_at)
        assert services.expire_awards(now=whole.draw_at + LATE) == services.ExpirySummary(1, 1)
        assert holders(broken) == {0: 0}
        assert holders(whole) == {0: 1}

    def test_members_who_follow_are_paid_at_once(self):
        draw = make_executed(entrants=3, members=[alice()], prizes=[("Small", "cash", 100, 2)], alternates=2)
        number = 0
        while alice().awards.count() == 0:
            number += 1
            services.expire_awards(now=draw.draw_at + number * LATE)
            assert number < 4
        assert alice().awards.get().state == Award.State.PAID
        assert balance(f"member:{alice().pk}:KES") == 100
        assert_proof_holds(draw)

    def test_everybody_concerned_is_told_once(self):
        draw = make_executed(entrants=8, prizes=[CASH])
        (first,) = standing(draw)
        now = draw.draw_at + LATE
        services.expire_awards(now=now)
        (second,) = standing(draw)
        for _again in range(2):
            expand_due_messages(now=now)
        lost = Delivery.objects.filter(message__kind="draws.prize_forfeited")
        assert [item.address for item in lost] == [first.identity]
        won = Delivery.objects.filter(message__kind="draws.winner_announcement", address=second.identity)
        assert won.count() == 1

    def test_times_in_the_proof_never_go_back(self):
        draw = make_executed(entrants=8, prizes=[VOUCHER])
        services.expire_awards(now=draw.draw_at + LATE)
        services.decline_award(award=standing(draw)[0], member=None, now=draw.draw_at + LATE / 2)
        proof = assert_proof_holds(draw)
        times = [item["at"] for item in proof["dispositions"]]
        assert times == sorted(times)


class TestErasedPeople:
    @pytest.mark.parametrize("is_member", [False, True])
    def test_nobody_is_there_to_claim_so_it_is_forfeited(self, is_member):
        draw = make_executed(
            entrants=5, members=[alice()] if is_member else [], prizes=[VOUCHER], alternates=4
        )
        (award,) = standing(draw)
        Award.objects.filter(pk=award.pk).update(identity=None)
        Entry.objects.filter(pk=award.winner.entry_id).update(identity=None, name="", salt=None)
        award.refresh_from_db()
        if award.member_id is None:
            with pytest.raises(services.ClaimError, match="over"):
                services.claim_award(award=award, member=None, now=draw.draw_at)
        assert services.expire_awards(now=draw.draw_at + LATE).expired == 1
        assert holders(draw) == {0: 1}
        assert_proof_holds(draw)

    def test_one_who_was_erased_before_the_turn_came_is_paid_nothing(self):
        draw = make_executed(entrants=0, members=[alice(), bob()], prizes=[CASH], pays="on_claim")
        (award,) = standing(draw)
        other = bob() if award.member == alice() else alice()
        Entry.objects.filter(draw=draw, member=other).update(identity=None, name="", salt=None)
        services.decline_award(award=award, member=award.member, now=draw.draw_at)
        (following,) = standing(draw)
        assert (following.identity, following.state) == (None, Award.State.CLAIMABLE)
        assert pool_of(draw) == (0, 0, 100_000)
        services.expire_awards(now=draw.draw_at + LATE)
        assert holders(draw) == {}
        assert_proof_holds(draw)


class TestRunningOut:
    def test_the_slot_stays_vacant_until_the_ranks_are_extended(self):
        draw = make_executed(entrants=10, prizes=[CASH], alternates=2)
        expire(draw, 3)
        draw.refresh_from_db()
        assert holders(draw) == {}
        assert draw.vacant_slots == 1
        assert pool_of(draw) == (0, 100_000, 0)
        assert Message.objects.filter(kind="draws.slots_vacant", about=draw.about).count() == 1
        report = draw.report.report_sha256
        services.extend_ranks(
            draw=draw, extra=3, by=admin(), reason="Nobody answered", now=draw.draw_at + 4 * LATE
        )
        draw.refresh_from_db()
        assert (draw.vacant_slots, holders(draw)) == (0, {0: 3})
        assert pool_of(draw) == (0, 0, 100_000)
        assert dispositions(draw)[-2:] == [(6, "extended", "Nobody answered"), (3, "promoted", "slot 0")]
        proof = assert_proof_holds(draw)
        assert [row["rank"] for row in proof["ranks"]] == list(range(6))
        assert proof["report_sha256"] == report
        expire(draw, 6)
        assert holders(draw) == {0: 5}

    def test_extended_again_the_sequence_goes_on(self):
        draw = make_executed(entrants=6, prizes=[VOUCHER], alternates=0)
        for number in range(1, 4):
            services.expire_awards(now=draw.draw_at + number * LATE)
            services.extend_ranks(
                draw=draw, extra=1, by=admin(), reason="On", now=draw.draw_at + number * LATE
            )
            assert holders(draw) == {0: number}
            assert_proof_holds(draw)
        assert ExtraRank.objects.filter(draw=draw).count() == 3

    def test_more_ranks_than_entries_are_all_of_them(self):
        draw = make_executed(entrants=4, prizes=[VOUCHER], alternates=0)
        expire(draw, 1)
        services.extend_ranks(draw=draw, extra=1000, by=admin(), reason="All", now=draw.draw_at + LATE)
        assert len(assert_proof_holds(draw)["ranks"]) == 4

    @pytest.mark.parametrize(("policy", "free"), [("stays", 100_000), ("returns", 0)])
    def test_when_everybody_has_been_drawn_the_leftover_policy_applies(self, policy, free):
        draw = make_executed(entrants=2, prizes=[CASH], alternates=5, leftover_policy=policy)
        expire(draw, 2)
        draw.refresh_from_db()
        assert (draw.vacant_slots, holders(draw)) == (0, {})
        assert pool_of(draw) == (free, 0, 0)
        assert Record.objects.get(action="draw.leftover").data["freed"] == {"KES": 100_000}
        with pytest.raises(services.VacancyError, match="No slot"):
            services.extend_ranks(draw=draw, extra=1, by=admin(), reason="More", now=timezone.now())

    @pytest.mark.parametrize(("policy", "free"), [("stays", 100_000), ("returns", 0)])
    def test_an_admin_may_close_the_vacancy(self, policy, free):
        draw = make_executed(entrants=10, prizes=[CASH], alternates=0, leftover_policy=policy)
        expire(draw, 1)
        with pytest.raises(services.VacancyError, match="Say why"):
            services.close_vacancies(draw=draw, by=admin(), reason=" ", now=timezone.now())
        for _again in range(2):
            draw = services.close_vacancies(draw=draw, by=admin(), reason="Enough", now=timezone.now())
        assert pool_of(draw) == (free, 0, 0)
        assert Record.objects.filter(action="draw.vacancies_closed").count() == 1
        with pytest.raises(services.VacancyError, match="closed"):
            services.extend_ranks(draw=draw, extra=1, by=admin(), reason="More", now=timezone.now())
        assert_proof_holds(draw)

    @pytest.mark.parametrize(
        ("changes", "sentence"), [({"reason": ""}, "Say why"), ({"extra": 0}, "at least one")]
    )
    def test_extending_needs_a_reason_and_a_number(self, changes, sentence):
        draw = make_executed(entrants=10, prizes=[CASH], alternates=0)
        expire(draw, 1)
        given = {"extra": 1, "by": admin(), "reason": "More", "now": timezone.now()} | changes
        with pytest.raises(services.VacancyError, match=sentence):
            services.extend_ranks(draw=draw, **given)

    def test_extending_needs_a_vacancy(self):
        with pytest.raises(services.VacancyError, match="No slot"):
            services.extend_ranks(
                draw=make_executed(), extra=1, by=admin(), reason="More", now=timezone.now()
            )


class TestTakingBack:
    def disqualify(self, award, **changes):
        given = {"by": admin(), "reason": "Entered twice", "now": timezone.now()} | changes
        services.replace_winner(award=award, **given)
        return Award.objects.get(pk=award.pk)

    def test_what_waits_comes_back_and_the_next_rank_has_it(self):
        draw = make_executed(entrants=6, prizes=[CASH])
        award = self.disqualify(standing(draw)[0])
        assert (award.state, award.ended_as) == (Award.State.REVERSED, Award.Ending.DISQUALIFIED)
        assert award.winner.state == Winner.State.DISQUALIFIED
        assert dispositions(draw) == [(0, "disqualified", "Entered twice"), (1, "promoted", "slot 0")]
        assert pool_of(draw) == (0, 0, 100_000)
        trail = Record.objects.get(action="award.disqualified")
        assert (trail.actor, trail.data["reason"]) == (admin(), "Entered twice")
        assert_proof_holds(draw)

    def test_what_is_in_a_wallet_is_never_taken_silently(self):
        draw = make_executed(entrants=0, members=[alice(), bob()], prizes=[CASH])
        with pytest.raises(services.DisqualifyError, match="in the winner's wallet"):
            self.disqualify(standing(draw)[0])
        assert dispositions(draw) == []

    def test_by_choice_it_is_taken_out_of_the_wallet_by_an_entry_that_says_so(self):
        draw = make_executed(entrants=0, members=[alice(), bob()], prizes=[CASH])
        (award,) = standing(draw)
        loser = award.member
        award = self.disqualify(award, take_back=True)
        assert balance(f"member:{loser.pk}:KES") == 0
        assert award.reversal.kind == "prize.taken_back"
        assert award.payout is not None
        (following,) = standing(draw)
        assert balance(f"member:{following.member_id}:KES") == 100_000
        assert_proof_holds(draw)

    def test_what_was_spent_can_t_be_taken_back(self):
        draw = make_executed(entrants=0, members=[alice(), bob()], prizes=[CASH])
        (award,) = standing(draw)
        pools.hand_on_prizes(
            pool="draw:elsewhere",
            returns=[
                pools.PrizeReturn(
                    idem_key="spent", unit="KES", amount=1, member_id=award.member_id, about="test"
                )
            ],
            payments=[],
            now=timezone.now(),
        )
        with pytest.raises(services.DisqualifyError, match="does not hold"):
            self.disqualify(award, take_back=True)
        award.refresh_from_db()
        assert award.state == Award.State.PAID
        assert dispositions(draw) == []
        assert_proof_holds(draw)

    def test_a_claimed_voucher_is_voided_and_an_address_erased(self):
        draw = make_executed(entrants=8, prizes=[VOUCHER, BICYCLE])
        voucher, thing = standing(draw)
        services.claim_award(award=voucher, member=None, now=timezone.now())
        services.claim_award(award=thing, member=None, address=ADDRESS, now=timezone.now())
        for award in (voucher, thing):
            self.disqualify(award)
        code = Award.objects.get(pk=voucher.pk).voucher.code
        with pytest.raises(services.VoucherError, match="taken back"):
            services.redeem_voucher(code=code, by=admin(), note="", now=timezone.now())
        assert not PrizeAddress.objects.exists()
        assert_proof_holds(draw)

    def test_what_was_used_or_sent_is_gone(self):
        draw = make_executed(entrants=8, prizes=[VOUCHER, BICYCLE])
        voucher, thing = standing(draw)
        claimed = services.claim_award(award=voucher, member=None, now=timezone.now())
        services.redeem_voucher(code=claimed.voucher.code, by=admin(), note="", now=timezone.now())
        services.claim_award(award=thing, member=None, address=ADDRESS, now=timezone.now())
        services.mark_sent(award=thing, note="", by=admin(), now=timezone.now())
        for award in (voucher, thing):
            with pytest.raises(services.DisqualifyError, match="handed over"):
                self.disqualify(award, take_back=True)

    @pytest.mark.parametrize(("reason", "sentence"), [(" ", "Say why"), ("x" * 301, "300")])
    def test_it_needs_a_reason_that_can_be_published(self, reason, sentence):
        draw = make_executed(entrants=6, prizes=[CASH])
        with pytest.raises(services.DisqualifyError, match=sentence):
            self.disqualify(standing(draw)[0], reason=reason)

    def test_what_is_lost_can_t_be_lost_again(self):
        draw = make_executed(entrants=6, prizes=[CASH])
        award = self.disqualify(standing(draw)[0])
        with pytest.raises(services.DisqualifyError, match="already"):
            self.disqualify(award)
        assert LedgerEntry.objects.filter(kind="prize.forfeited").count() == 1


class TestWithOtherPromises:
    def test_while_payouts_are_stopped_nobody_claims_declines_or_forfeits(self):
        draw = make_executed(entrants=8, prizes=[CASH])
        (award,) = standing(draw)
        Draw.objects.filter(pk=draw.pk).update(payouts_stopped_at=timezone.now())
        now = draw.draw_at + LATE
        assert services.expire_awards(now=now) == services.ExpirySummary()
        member = make_user(email=award.identity)
        for work in (services.claim_award, services.decline_award):
            with pytest.raises(services.PayoutsStoppedError):
                work(award=award, member=member, now=draw.draw_at)
        with pytest.raises(services.PayoutsStoppedError):
            services.replace_winner(award=award, by=admin(), reason="Now", now=draw.draw_at)
        assert holders(draw) == {0: 0}
        services.resume_payouts(draw=Draw.objects.get(pk=draw.pk), by=admin(), reason="Seen", now=now)
        assert services.expire_awards(now=now).expired == 1

    def test_extended_ranks_skip_those_who_stood_as_winners_of_an_excluded_draw(self):
        first, second = frozen_pair(entrants=12, alternates=0)
        services.execute_draw(draw_id=first.pk, now=first.draw_at)
        services.execute_draw(draw_id=second.pk, now=second.draw_at)
        for number in range(1, 9):
            now = second.draw_at + number * LATE
            services.expire_awards(now=now)
            second.refresh_from_db()
            if second.vacant_slots:
                services.extend_ranks(draw=second, extra=2, by=admin(), reason="More", now=now)
        assert_proof_holds(second)
        stood = {slot["pid"] for slot in first.report.proof["slots"]}
        won = {winner.entry.pid_hex for winner in second.winners.select_related("entry")}
        assert stood & won == set()
        assert len(won) == 9
        excluded = second.dispositions.filter(state="excluded")
        assert set(excluded.values_list("reason", flat=True)) == {f"winner of draw {first.public_id}"}
        assert excluded.count() == 3

    def test_the_daily_check_finds_nothing_wrong_after_all_of_it(self):
        draw = make_executed(entrants=12, members=[alice(), bob()], prizes=[CASH, SMALL], alternates=2)
        for number in range(1, 4):
            services.expire_awards(now=draw.draw_at + number * LATE)
        for award in standing(draw):
            services.replace_winner(
                award=award, by=admin(), reason="Twice", take_back=True, now=draw.draw_at + 5 * LATE
            )
        draw.refresh_from_db()
        if draw.vacant_slots:
            services.extend_ranks(draw=draw, extra=4, by=admin(), reason="On", now=draw.draw_at + 6 * LATE)
        assert services.check_draw(draw=Draw.objects.get(pk=draw.pk), now=draw.draw_at + 7 * LATE) == []


class TestSources:
    def test_a_name_belongs_to_one_source(self):
        with pytest.raises(SourceError, match="registered twice"):
            register_source(_copy_of(source_named("draws.draw")))
        with pytest.raises(SourceError, match="no app"):
            source_named("contests.contest")

    def test_an_app_above_says_its_own_words_and_the_draw_does_the_rest(self, monkeypatch):
        said = []
        own = _copy_of(
            source_named("draws.draw"),
            name="test.contest",
            tell_won=lambda awards, now: said.append(("won", len(awards))),
            tell_lost=lambda losses, now: said.append(("lost", len(losses))),
        )
        monkeypatch.setitem(sources._sources, "test.contest", own)
        draw = make_executed(entrants=6, prizes=[CASH], owner="test.contest")
        services.expire_awards(now=draw.draw_at + LATE)
        assert said == [("won", 1), ("won", 1), ("lost", 1)]
        assert holders(draw) == {0: 1}
        assert not Message.objects.filter(kind="draws.winner_announcement").exists()
        assert_proof_holds(draw)


def _copy_of(source, **changes):
    fields = {name: getattr(source, name) for name in type(source).__slots__}
    return type(source)(**fields | changes)


class TestGuards:
    """What the database itself refuses, whatever code asks for it."""

    @pytest.mark.parametrize(
        ("statement", "sentence"),
        [
            ("UPDATE draws_award SET state = 'claimable' WHERE state = 'expired'", "keeps what it is for"),
            ("UPDATE draws_award SET claim_version = 0", "keeps what it is for"),
            ("UPDATE draws_award SET source = 'other'", "keeps what it is for"),
            ("UPDATE draws_award SET reversal_id = NULL WHERE state = 'expired'", "keeps what it is for"),
            ("DELETE FROM draws_voucher", "never deleted"),
            ("UPDATE draws_voucher SET code = 'X'", "used or voided once"),
            ("UPDATE draws_voucher SET redeemed_at = NULL", "used or voided once"),
            ("UPDATE draws_extrarank SET ticket = 0", "drawn for ever"),
            ("DELETE FROM draws_extrarank", "drawn for ever"),
        ],
    )
    def test_it_refuses_to_change_what_happened(self, statement, sentence):
        draw = make_executed(entrants=8, prizes=[CASH, VOUCHER], alternates=0)
        _cash, voucher = standing(draw)
        claimed = services.claim_award(award=voucher, member=None, now=draw.draw_at)
        services.redeem_voucher(code=claimed.voucher.code, by=admin(), note="", now=draw.draw_at)
        services.expire_awards(now=draw.draw_at + LATE)
        services.extend_ranks(draw=draw, extra=1, by=admin(), reason="More", now=draw.draw_at + LATE)
        with (
            pytest.raises(DatabaseError, match=sentence),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
