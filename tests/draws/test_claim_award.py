"""Claiming: money that waits for a winner without an account, paid once and to nobody else."""

import datetime as dt

import pytest
from django.utils import timezone

from audit.models import Record
from draws import services
from draws.models import Award, Winner
from draws.services.awarding import claimable_awards
from payments.models import LedgerEntry
from tests.draws.factories import (
    CASH,
    CREDITS,
    VOUCHER,
    add_entries_straight,
    assert_ledger_balances,
    balance,
    make_draw,
    make_executed,
    pool_of,
)
from tests.factories import make_user

WINNER = "lucky@example.org"


def won(prize=CASH, *, identity=WINNER):
    """A draw whose one winner has no account; returns the award that waits."""
    draw = make_draw(prizes=[prize], closes_in=dt.timedelta(hours=-2))
    add_entries_straight(draw, [(identity, 1, None)])
    services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
    services.execute_draw(draw_id=draw.pk, now=draw.draw_at)
    draw.refresh_from_db()
    return Award.objects.get(about=draw.about), draw


def claim(award, member, *, now=None):
    return services.claim_award(award=award, member=member, now=now or timezone.now())


@pytest.mark.django_db
@pytest.mark.parametrize(("prize", "unit", "amount"), [(CASH, "KES", 100_000), (CREDITS, "CREDIT", 30)])
def test_after_signing_up_with_the_address_the_money_is_theirs(prize, unit, amount):
    award, draw = won(prize)
    assert pool_of(draw, unit) == (0, 0, amount)
    member = make_user(email=WINNER)
    assert claimable_awards(member) == [award]
    claimed = claim(award, member)
    assert (claimed.state, claimed.member) == (Award.State.PAID, member)
    assert balance(f"member:{member.pk}:{unit}") == amount
    assert pool_of(draw, unit) == (0, 0, 0)
    assert Winner.objects.get(award=award).state == Winner.State.PAID
    assert claimable_awards(member) == []
    assert Record.objects.get(action="award.claimed").actor == member
    assert services.verify_stored_draw(draw) == []
    assert_ledger_balances()


@pytest.mark.django_db
def test_claiming_twice_pays_once():
    award, draw = won()
    member = make_user(email=WINNER)
    assert claim(award, member).payout == claim(award, member).payout
    assert balance(f"member:{member.pk}:KES") == 100_000
    assert LedgerEntry.objects.filter(kind="prize.claimed").count() == 1
    assert Record.objects.filter(action="award.claimed").count() == 1
    assert pool_of(draw) == (0, 0, 0)


def test_many_claims_at_once_pay_once(parallel):
    award, draw = won()
    member = make_user(email=WINNER)
    outcomes = parallel(lambda: claim(award, member).state, 8)
    assert outcomes.errors == []
    assert set(outcomes.results) == {Award.State.PAID}
    assert balance(f"member:{member.pk}:KES") == 100_000
    assert LedgerEntry.objects.filter(kind="prize.claimed").count() == 1
    assert pool_of(draw) == (0, 0, 0)
    assert_ledger_balances()


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["waiting", "paid"])
def test_another_persons_prize_is_refused(state):
    award, _draw = won()
    if state == "paid":
        claim(award, make_user(email=WINNER))
    thief = make_user(email="lucky@example.com")
    assert claimable_awards(thief) == []
    with pytest.raises(services.ClaimError, match="belongs to somebody else"):
        claim(award, thief)
    assert balance(f"member:{thief.pk}:KES") == 0


@pytest.mark.django_db
def test_an_address_that_is_not_verified_claims_nothing():
    award, draw = won()
    claimant = make_user(email=WINNER, verified=False)
    assert claimable_awards(claimant) == []
    with pytest.raises(services.ClaimError, match="Confirm your e-mail address"):
        claim(award, claimant)
    assert pool_of(draw) == (0, 0, 100_000)


@pytest.mark.django_db
def test_after_the_deadline_it_is_too_late():
    award, draw = won()
    member = make_user(email=WINNER)
    claim_until = award.claim_until
    with pytest.raises(services.ClaimError, match="time to claim"):
        claim(award, member, now=claim_until + dt.timedelta(seconds=1))
    assert pool_of(draw) == (0, 0, 100_000)
    assert claim(award, member, now=claim_until).state == Award.State.PAID


@pytest.mark.django_db
def test_a_voucher_is_handed_over_and_not_paid():
    award, _draw = won(VOUCHER)
    assert claim(award, make_user(email=WINNER)).state == Award.State.CLAIMED
    assert not LedgerEntry.objects.filter(kind="prize.claimed").exists()


@pytest.mark.django_db
def test_a_phone_number_is_nobodys_verified_address():
    award, _draw = won(identity="+254711000001")
    member = make_user(phone="+254711000001")
    assert claimable_awards(member) == []
    with pytest.raises(services.ClaimError, match="belongs to somebody else"):
        claim(award, member)


@pytest.mark.django_db
def test_a_member_who_was_paid_has_nothing_to_claim():
    member = make_user()
    draw = make_executed(entrants=0, members=[member], prizes=[CASH])
    award = Award.objects.get(about=draw.about)
    assert claimable_awards(member) == []
    assert claim(award, member).payout == award.payout
    assert balance(f"member:{member.pk}:KES") == 100_000
