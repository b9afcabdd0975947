"""Taking a paid prize out of a wallet: it counts as money that a person moves, and above the limit it takes two."""

import pytest
from django.urls import reverse
from django.utils import timezone

from audit.models import Record
from draws import services
from draws.models import Award, Winner
from payments import approvals
from payments.checking import check_ledger
from payments.models import Approval
from tests.draws.factories import balance, make_executed
from tests.draws.proofs import assert_proof_holds, dispositions, holders
from tests.factories import admin, alice, bob
from tests.payments.asking import LIMIT, asker, fatma, person

LARGE = ("Main prize", "cash", 2 * LIMIT, 1)
WHY = "Entered twice"


def drawn(prize=LARGE):
    """A draw whose one prize is in a wallet, and its award."""
    draw = make_executed(entrants=0, members=[alice(), bob()], prizes=[prize])
    return draw, Award.objects.get(about=draw.about)


def take(award, **fields):
    values = {"by": asker(), "reason": WHY, "now": timezone.now(), "take_back": True} | fields
    return services.replace_winner(award=award, **values)


def asked():
    """What is asked about taking back; funding the pool took two as well."""
    return Approval.objects.filter(kind="draws.take_back_prize")


def approve(approval, by=None):
    return approvals.approve(approval=approval, by=by or admin(), now=timezone.now())


def wallet(award) -> int:
    return balance(f"member:{award.member_id}:KES")


@pytest.mark.django_db
class TestAboveTheLimit:
    def test_it_waits_and_nothing_moves(self):
        draw, award = drawn()
        outcome = take(award)
        assert outcome.waits
        assert wallet(award) == 2 * LIMIT
        assert dispositions(draw) == []
        award.refresh_from_db()
        assert award.state == Award.State.PAID

    def test_a_second_person_agrees_and_the_next_rank_has_it(self):
        draw, award = drawn()
        done = approve(take(award).approval)
        assert wallet(award) == 0
        assert holders(draw) == {0: 1}
        assert (done.result.kind, done.result.actor, done.result.reason) == ("prize.taken_back", asker(), WHY)
        award.refresh_from_db()
        assert (award.state, award.reversal) == (Award.State.REVERSED, done.result)
        following = draw.winners.get(state__in=Winner.STANDING).award
        assert wallet(following) == 2 * LIMIT
        assert Record.objects.get(action="award.disqualified").actor == asker()
        assert check_ledger() == []
        assert_proof_holds(draw)

    def test_finance_who_may_not_replace_winners_does_not_agree_to_it(self):
        _draw, award = drawn()
        with pytest.raises(approvals.NotEntitledError):
            approve(take(award).approval, fatma())
        assert wallet(award) == 2 * LIMIT

    def test_asked_twice_it_says_who_has_asked(self):
        _draw, award = drawn()
        take(award)
        with pytest.raises(services.DisqualifyError, match="Maina has asked for this already"):
            take(award)
        assert asked().count() == 1

    def test_after_a_refusal_it_can_be_asked_for_anew(self):
        draw, award = drawn()
        approvals.reject(approval=take(award).approval, by=admin(), note="Not proven", now=timezone.now())
        approve(take(award, reason="Proven now").approval)
        assert wallet(award) == 0
        assert_proof_holds(draw)

    def test_what_was_replaced_meanwhile_is_not_taken_again(self):
        _draw, award = drawn()
        approval = take(award).approval
        Award.objects.filter(pk=award.pk).update(
            state=Award.State.REVERSED, ended_as=Award.Ending.DISQUALIFIED, ended_at=timezone.now()
        )
        with pytest.raises(approvals.CantBeDoneError, match="lost already"):
            approve(approval)

    def test_small_prizes_taken_one_after_another_are_added_up(self):
        draw = make_executed(
            entrants=0, members=[alice(), bob()], prizes=[("Prize", "cash", LIMIT // 2 + 1, 2)]
        )
        first, second = Award.objects.filter(about=draw.about)
        assert take(first).entry is not None
        assert take(second).waits


@pytest.mark.django_db
class TestInTheAdmin:
    def url(self, award):
        return reverse("admin:draws_award_replace", args=[award.pk])

    def test_it_is_told_that_it_waits(self, client):
        _draw, award = drawn()
        client.force_login(asker())
        answer = client.post(self.url(award), {"reason": WHY, "take_back": "on"}, follow=True)
        assert "waits for a second person" in answer.content.decode()
        approval = asked().get()
        page = client.get(reverse("admin:payments_approval_change", args=[approval.pk])).content.decode()
        assert "Take a prize back out of a wallet: KES 200,000.00" in page
        assert f"Main prize, {_draw.title}" in page

    def test_it_asks_for_a_fresh_sign_in_and_keeps_what_was_typed(self, client):
        _draw, award = drawn()
        maina = asker()
        maina.set_password("long enough, really")
        maina.save()
        client.force_login(maina)
        session = client.session
        session["account_authentication_methods"] = [{"method": "password", "at": 1.0}]
        session.save()
        answer = client.post(self.url(award), {"reason": WHY, "take_back": "on"})
        assert "/reauthenticate/" in answer.url
        assert not asked().exists()
        assert client.session["kept_form"]["path"] == self.url(award)
        kept = client.session["kept_form"]
        client.force_login(maina)
        session = client.session
        session["kept_form"] = kept
        session.save()
        assert WHY in client.get(self.url(award)).content.decode()


@pytest.mark.usefixtures("cloned_db")
def test_two_who_ask_at_the_same_moment_ask_once(parallel):
    _draw, award = drawn()
    people = (asker(), person("mosi", "Manager Admin"))
    outcomes = parallel(lambda n: take(award, by=people[n % 2]), 6)
    assert asked().count() == 1
    assert outcomes.results
    # Whoever came second is told so, in one way or another; nobody's request is done.
    assert wallet(award) == 2 * LIMIT


@pytest.mark.usefixtures("cloned_db")
def test_approving_while_the_winner_is_taken_back_by_another_moves_it_once(parallel):
    draw, award = drawn(("Prize", "cash", LIMIT, 1))
    people = (admin(), asker())
    outcomes = parallel(lambda n: take(award, by=people[n % 2]), 6)
    assert sum(outcome.entry is not None for outcome in outcomes.results) >= 1
    assert dispositions(draw) == [(0, "disqualified", WHY), (1, "promoted", "slot 0")]
    assert check_ledger() == []
