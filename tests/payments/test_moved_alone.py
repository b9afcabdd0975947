"""What one person moves alone within a day is one amount, however it is cut: the second person can't be walked around."""

import datetime as dt
from functools import partial

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from draws import services
from payments import approvals
from payments.adjustments import adjust_wallet
from payments.alone import moved_alone
from payments.checking import check_ledger
from payments.ledger import InsufficientFundsError
from payments.models import AloneMove, Approval, LedgerEntry
from tests.draws.factories import make_draft
from tests.factories import alice, bob
from tests.payments.asking import ABOVE, LIMIT, ask, asker, farid, fatma, free, request

HALF = LIMIT // 2


def adjust(amount: int, *, key: str, member=None, by=None, **fields):
    values = {"unit": "KES", "reason": "Goodwill", "now": timezone.now()} | fields
    return adjust_wallet(member=member or alice(), amount=amount, by=by or fatma(), idem_key=key, **values)


@pytest.mark.django_db
class TestOneAfterAnother:
    def test_an_amount_cut_into_pieces_is_one_amount(self):
        draw = make_draft()
        assert ask(draw, amount=HALF, idem_key="1").entry is not None
        assert ask(draw, amount=HALF, idem_key="2").entry is not None
        assert ask(draw, amount=1, idem_key="3").waits
        assert free(draw) == LIMIT

    def test_all_draws_wallets_and_directions_are_added_up(self):
        draw = make_draft()
        ask(draw, amount=HALF, idem_key="1", by=fatma())
        adjust(HALF // 2, key="2")
        adjust(-HALF // 2, key="3")
        assert adjust(1, key="4", member=bob()).waits
        assert ask(make_draft(), amount=1, idem_key="5", by=fatma()).waits
        assert services.return_leftover(
            draw=draw, unit="KES", amount=1, by=fatma(), reason="Back", idem_key="6", now=timezone.now()
        ).waits
        assert moved_alone(fatma(), until=timezone.now()) == {"KES": LIMIT}
        assert check_ledger() == []

    def test_units_and_people_are_counted_apart(self):
        draw = make_draft()
        ask(draw, amount=LIMIT, idem_key="1", by=fatma())
        assert ask(draw, amount=10_000, unit="CREDIT", idem_key="2", by=fatma()).entry is not None
        assert ask(draw, amount=LIMIT, idem_key="3", by=farid()).entry is not None

    def test_after_a_day_there_is_room_again(self):
        draw, begin = make_draft(), timezone.now()
        ask(draw, amount=LIMIT, idem_key="1", now=begin)
        day = dt.timedelta(hours=24)
        assert ask(draw, amount=1, idem_key="2", now=begin + day - dt.timedelta(seconds=1)).waits
        assert ask(draw, amount=1, idem_key="3", now=begin + day).entry is not None

    def test_what_a_second_person_agreed_to_is_not_counted(self):
        draw = make_draft()
        approvals.approve(approval=request(draw), by=fatma(), now=timezone.now())
        assert ask(draw, amount=LIMIT, idem_key="2").entry is not None
        assert not AloneMove.objects.filter(by=fatma()).exists()

    def test_repeating_a_form_counts_once_and_gives_the_first_entry_above_the_limit_too(self):
        draw = make_draft()
        first = ask(draw, amount=LIMIT, idem_key="1").entry
        assert ask(draw, amount=LIMIT, idem_key="1").entry == first
        assert moved_alone(asker(), until=timezone.now()) == {"KES": LIMIT}

    def test_what_failed_is_not_counted(self):
        with pytest.raises(InsufficientFundsError):
            adjust(-5, key="1")
        assert not AloneMove.objects.exists()

    @pytest.mark.parametrize("work", ["update", "delete"])
    def test_nobody_makes_room_by_removing_what_was_counted(self, work):
        ask(amount=5)
        rows = AloneMove.objects.all()
        act = partial(rows.update, amount=1) if work == "update" else partial(rows._raw_delete, rows.db)
        with pytest.raises(DatabaseError, match="stays counted"), transaction.atomic():
            act()

    def test_the_second_person_sees_what_was_moved_before(self, client):
        draw = make_draft()
        ask(draw, amount=LIMIT, idem_key="1")
        approval = request(draw, amount=1, idem_key="2")
        client.force_login(fatma())
        html = client.get(f"/admin/payments/approval/{approval.pk}/change/").content.decode()
        assert "Moved alone before" in html
        assert "KES 100,000.00" in html


@pytest.mark.usefixtures("cloned_db")
class TestAtTheSameMoment:
    def test_pieces_sent_at_once_don_t_each_find_room(self, parallel):
        draw, by, now = make_draft(), asker(), timezone.now()
        outcomes = parallel(lambda n: ask(draw, amount=HALF, idem_key=f"piece:{n}", by=by, now=now), 8)
        assert outcomes.errors == []
        assert free(draw) == LIMIT
        assert sum(outcome.waits for outcome in outcomes.results) == 6
        assert Approval.objects.count() == 6

    def test_pieces_of_different_kinds_at_once_don_t_either(self, parallel):
        by, now = fatma(), timezone.now()
        draws, member = [make_draft() for _ in range(4)], alice()

        def work(n: int):
            if n % 2:
                return adjust(LIMIT, key=f"adjust:{n}", member=member, by=by, now=now)
            return ask(draws[n // 2], amount=LIMIT, idem_key=f"fund:{n}", by=by, now=now)

        outcomes = parallel(work, 8)
        assert outcomes.errors == []
        assert LedgerEntry.objects.count() == 1
        assert sum(outcome.waits for outcome in outcomes.results) == 7

    def test_the_same_form_sent_many_times_at_once_is_done_once(self, parallel):
        draw, by, now = make_draft(), asker(), timezone.now()
        outcomes = parallel(lambda: ask(draw, amount=LIMIT, by=by, now=now), 8)
        assert outcomes.errors == []
        assert {outcome.entry.pk for outcome in outcomes.results} == {LedgerEntry.objects.get().pk}
        assert free(draw) == LIMIT

    def test_people_don_t_wait_for_each_other_in_a_circle(self, parallel):
        draws, people, now = [make_draft(), make_draft()], (fatma(), farid()), timezone.now()
        approval = request(draws[0], amount=ABOVE, idem_key="big")

        def work(n: int):
            if n == 0:
                return approvals.approve(approval=approval, by=people[0], now=now)
            return ask(draws[n % 2], amount=10, idem_key=f"{n}", by=people[n % 2], now=now)

        outcomes = parallel(work, 9)
        assert outcomes.errors == []
        assert free(draws[0]) + free(draws[1]) == ABOVE + 80
        assert check_ledger() == []
