"""Claiming and declining: whose it is, until when, what it gives, and what a link may do."""

import datetime as dt

import pytest
from django.utils import timezone

from audit.models import Record
from draws import services
from draws.models import Award, Draw, PrizeAddress, Voucher, Winner
from draws.services.claiming import Address
from draws.voucher_codes import read_code
from notifications.models import Delivery, Message
from notifications.services.expansion import expand_due_messages
from tests.draws.factories import CASH, HOUR, VOUCHER, balance, make_executed, pool_of
from tests.draws.proofs import assert_proof_holds, dispositions, holders
from tests.factories import admin, alice, bob, make_user

pytestmark = pytest.mark.django_db

BICYCLE = ("Bicycle", "physical", 0, 1)
ADDRESS = Address(
    name="Zoe Zuberi",
    street="12 Moi Avenue",
    city="Nairobi",
    postcode="00100",
    country="KE",
    phone="+254711000009",
)


def award_of(draw: Draw) -> Award:
    """The award that stands, of a draw with one prize."""
    return Award.objects.filter(about=draw.about).exclude(state__in=("expired", "reversed")).get()


def account_of(award: Award, *, verified: bool = True):
    """Somebody who signs up with the address that won."""
    return make_user(email=award.identity, verified=verified)


class TestMoney:
    def test_it_goes_to_the_wallet_of_the_address_that_won_and_once(self):
        draw = make_executed(entrants=3, prizes=[CASH])
        award = award_of(draw)
        member = account_of(award)
        for _again in range(2):
            claimed = services.claim_award(award=award, member=member, now=timezone.now())
        assert claimed.state == Award.State.PAID
        assert claimed.claimed_at is not None
        assert balance(f"member:{member.pk}:KES") == 100_000
        assert pool_of(draw) == (0, 0, 0)
        assert draw.winners.get().state == Winner.State.PAID
        assert Record.objects.filter(action="award.claimed").count() == 1
        assert_proof_holds(draw)

    def test_an_address_that_is_not_verified_does_not_count(self):
        award = award_of(make_executed(entrants=3, prizes=[CASH]))
        with pytest.raises(services.ClaimError, match="Confirm"):
            services.claim_award(award=award, member=account_of(award, verified=False), now=timezone.now())

    def test_somebody_else_can_t_have_it(self):
        award = award_of(make_executed(entrants=3, prizes=[CASH]))
        with pytest.raises(services.ClaimError, match="somebody else"):
            services.claim_award(award=award, member=alice(), now=timezone.now())

    def test_a_link_alone_pays_nobody(self):
        draw = make_executed(entrants=3, prizes=[CASH])
        with pytest.raises(services.ClaimError, match="sign in"):
            services.claim_award(award=award_of(draw), member=None, now=timezone.now())
        assert pool_of(draw) == (0, 0, 100_000)

    def test_what_is_paid_on_claim_waits_for_a_member_too(self):
        draw = make_executed(entrants=0, members=[alice()], prizes=[CASH], pays="on_claim")
        award = award_of(draw)
        assert (award.state, award.member) == (Award.State.CLAIMABLE, alice())
        assert pool_of(draw) == (0, 0, 100_000)
        services.claim_award(award=award, member=alice(), now=timezone.now())
        assert balance(f"member:{alice().pk}:KES") == 100_000
        assert_proof_holds(draw)


class TestDeadline:
    def test_the_last_moment_is_in_time_and_the_next_is_not(self):
        award = award_of(make_executed(entrants=3, prizes=[VOUCHER]))
        with pytest.raises(services.ClaimError, match="over"):
            services.claim_award(
                award=award, member=None, now=award.claim_until + dt.timedelta(microseconds=1)
            )
        assert services.claim_award(award=award, member=None, now=award.claim_until).voucher

    def test_nothing_expires_before_its_time(self):
        award = award_of(make_executed(entrants=3, prizes=[VOUCHER]))
        assert services.expire_awards(now=award.claim_until).expired == 0


class TestVouchers:
    def test_a_link_is_enough_and_gives_one_code(self):
        award = award_of(make_executed(entrants=3, prizes=[VOUCHER]))
        for _again in range(2):
            award = services.claim_award(award=award, member=None, now=timezone.now())
        voucher = Voucher.objects.get()
        assert award.state == Award.State.CLAIMED
        assert read_code(voucher.spelled) == voucher.code
        assert voucher.expires_at - voucher.issued_at == dt.timedelta(days=365)

    def test_it_is_used_once_by_whoever_types_it_however(self):
        award = award_of(make_executed(entrants=3, prizes=[VOUCHER]))
        voucher = services.claim_award(award=award, member=None, now=timezone.now()).voucher
        services.redeem_voucher(
            code=f" {voucher.spelled.lower()}", by=admin(), note="Mama's, table 4", now=timezone.now()
        )
        voucher.refresh_from_db()
        award.refresh_from_db()
        assert (voucher.redeemed_by, voucher.redeemed_note) == (admin(), "Mama's, table 4")
        assert (award.state, award.winner.state) == (Award.State.PAID, Winner.State.PAID)
        with pytest.raises(services.VoucherError, match="used already"):
            services.redeem_voucher(code=voucher.code, by=admin(), note="", now=timezone.now())

    def test_a_slip_an_unknown_code_and_one_past_its_date_are_refused(self):
        award = award_of(make_executed(entrants=3, prizes=[VOUCHER]))
        voucher = services.claim_award(award=award, member=None, now=timezone.now()).voucher
        wrong = voucher.code[:-1] + ("A" if voucher.code[-1] != "A" else "B")
        for code, sentence, now in (
            (wrong, "slip", timezone.now()),
            ("0" * 16, "No voucher", timezone.now()),
            (voucher.code, "past its date", voucher.expires_at + HOUR),
        ):
            with pytest.raises(services.VoucherError, match=sentence):
                services.redeem_voucher(code=code, by=admin(), note="", now=now)


class TestThings:
    def test_they_need_an_address(self):
        award = award_of(make_executed(entrants=3, prizes=[BICYCLE]))
        with pytest.raises(services.ClaimError, match="where"):
            services.claim_award(award=award, member=None, now=timezone.now())
        award = services.claim_award(award=award, member=None, address=ADDRESS, now=timezone.now())
        assert award.state == Award.State.CLAIMED
        assert award.address.city == "Nairobi"

    def test_sent_they_are_done_and_the_address_can_be_erased(self):
        award = award_of(make_executed(entrants=3, prizes=[BICYCLE]))
        with pytest.raises(services.HandOverError, match="where to send"):
            services.mark_sent(award=award, note="", by=admin(), now=timezone.now())
        services.claim_award(award=award, member=None, address=ADDRESS, now=timezone.now())
        with pytest.raises(services.HandOverError, match="not been sent"):
            services.erase_address(award=award, by=admin(), now=timezone.now())
        for _again in range(2):
            award = services.mark_sent(award=award, note="DHL 123", by=admin(), now=timezone.now())
        assert (award.state, award.note, award.winner.state) == ("paid", "DHL 123", "paid")
        assert Record.objects.filter(action="award.sent").count() == 1
        assert services.erase_address(award=award, by=admin(), now=timezone.now())
        assert not services.erase_address(award=award, by=admin(), now=timezone.now())
        assert not PrizeAddress.objects.exists()

    def test_the_trail_knows_nothing_of_where_anybody_lives(self):
        award = award_of(make_executed(entrants=3, prizes=[BICYCLE]))
        services.claim_award(award=award, member=None, address=ADDRESS, now=timezone.now())
        trail = str(list(Record.objects.values_list("data", flat=True)))
        assert not [value for value in (ADDRESS.name, ADDRESS.street, ADDRESS.phone) if value in trail]


class TestLinks:
    def test_only_its_own_token_opens_an_award(self):
        draw = make_executed(entrants=4, prizes=[VOUCHER, BICYCLE])
        first, second = Award.objects.filter(about=draw.about)
        assert services.award_by_token(services.claim_token(first)) == first
        assert services.award_by_token(services.claim_token(second)) == second
        assert services.award_by_token(services.claim_token(first)[:-4] + "AAAA") is None

    def test_raising_the_version_revokes_what_was_given_out(self):
        award = award_of(make_executed(entrants=3, prizes=[VOUCHER]))
        old = services.claim_token(award)
        award = services.revoke_claim_links(
            award=award, by=admin(), reason="Mailbox stolen", now=timezone.now()
        )
        assert services.award_by_token(old) is None
        assert services.award_by_token(services.claim_token(award)) == award

    def test_a_link_opens_nothing_of_an_award_that_has_an_account(self):
        award = award_of(make_executed(entrants=0, members=[alice()], prizes=[VOUCHER]))
        with pytest.raises(services.ClaimError, match="sign in"):
            services.claim_award(award=award, member=None, now=timezone.now())


class TestDeclining:
    def test_the_next_rank_has_it_at_once_and_is_told(self):
        draw = make_executed(entrants=6, prizes=[CASH])
        award = award_of(draw)
        winner = make_user(email=award.identity)  # money is declined by its winner, signed in
        now = timezone.now()
        for _again in range(2):
            services.decline_award(award=award, member=winner, now=now)
        award.refresh_from_db()
        assert (award.state, award.ended_as) == (Award.State.EXPIRED, Award.Ending.DECLINED)
        assert holders(draw) == {0: 1}
        assert dispositions(draw) == [(0, "declined", ""), (1, "promoted", "slot 0")]
        following = award_of(draw)
        assert following.claim_until == now + dt.timedelta(days=14)
        assert pool_of(draw) == (0, 0, 100_000)
        assert award.reversal is not None
        expand_due_messages(now=now)
        told = Delivery.objects.filter(message__kind="draws.winner_announcement")
        assert told.filter(address=following.identity, params__rank=1).count() == 1
        assert Delivery.objects.filter(message__kind="draws.prize_forfeited").count() == 1
        assert_proof_holds(draw)

    def test_a_member_who_follows_is_paid_at_once(self):
        draw = make_executed(
            entrants=0, members=[alice(), bob()], prizes=[CASH], pays="on_claim", alternates=1
        )
        award = award_of(draw)
        Draw.objects.filter(pk=draw.pk)
        services.decline_award(award=award, member=award.member, now=timezone.now())
        following = award_of(draw)
        assert following.member != award.member
        services.claim_award(award=following, member=following.member, now=timezone.now())
        assert balance(f"member:{following.member_id}:KES") == 100_000
        assert_proof_holds(draw)

    def test_what_is_claimed_can_t_be_declined_and_what_is_declined_not_claimed(self):
        draw = make_executed(entrants=6, prizes=[VOUCHER, BICYCLE])
        voucher, thing = Award.objects.filter(about=draw.about).order_by("kind").reverse()
        services.claim_award(award=voucher, member=None, now=timezone.now())
        with pytest.raises(services.ClaimError):
            services.decline_award(award=voucher, member=None, now=timezone.now())
        services.decline_award(award=thing, member=None, now=timezone.now())
        with pytest.raises(services.ClaimError, match="declined"):
            services.claim_award(award=thing, member=None, address=ADDRESS, now=timezone.now())


class TestNotices:
    def test_each_winner_is_told_once_and_reminded_twice_at_most_while_it_is_not_claimed(self):
        draw = make_executed(entrants=6, prizes=[VOUCHER, BICYCLE])
        voucher, thing = Award.objects.filter(about=draw.about).order_by("kind").reverse()
        services.claim_award(award=voucher, member=None, now=draw.draw_at)
        for at in (draw.draw_at, thing.claim_until - dt.timedelta(days=7), thing.claim_until - 23 * HOUR):
            expand_due_messages(now=at)
        expand_due_messages(now=thing.claim_until + HOUR)

        def told(kind):
            found = Delivery.objects.filter(message__kind=f"draws.{kind}", channel="email")
            return sorted(found.values_list("address", flat=True))

        assert told("winner_announcement") == sorted([voucher.identity, thing.identity])
        assert told("claim_reminder") == [thing.identity] * 2

    def test_a_reminder_that_is_late_is_not_sent_beside_the_next(self):
        draw = make_executed(entrants=6, prizes=[VOUCHER])
        award = award_of(draw)
        expand_due_messages(now=award.claim_until - HOUR)
        assert Delivery.objects.filter(message__kind="draws.claim_reminder", channel="email").count() == 1

    def test_a_draw_that_paid_everybody_reminds_nobody(self):
        make_executed(entrants=0, members=[alice()], prizes=[CASH])
        assert not Message.objects.filter(kind="draws.claim_reminder").exists()
