"""Withdrawals: money waits, is sent once, and is paid or back in the wallet; never both, never twice."""

import datetime as dt
import threading
from collections import deque

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from config.privacy import person_of
from notifications.models import Message
from payments import paystack, privacy
from payments.accounts import wallet_balances
from payments.approvals import ApprovalError, CantBeDoneError, approve
from payments.models import Approval, ReviewItem, Withdrawal
from payments.services import paying_out
from payments.services.paying_out import apply_status, send_due_withdrawals
from payments.services.withdrawing import (
    WithdrawalError,
    approve_withdrawal,
    cancel_withdrawal,
    mark_paid_by_hand,
    reject_withdrawal,
    send_again,
)
from tests.factories import admin, alice, bob, treasurer
from tests.payments.shop import assert_books_balance, balance, send, transfer_event, withdrawal_of

HOUR = dt.timedelta(hours=1)
MUCH = 20_000_000


class FakeTransfers:
    """What Paystack would do: keeps transfers by reference, and misbehaves as told for one call each."""

    def __init__(self):
        self.made, self.moods, self.calls = {}, deque(), []

    def create_recipient(self, *, type, name, account_number, bank_code, currency):
        assert (type, bank_code, currency) == ("mobile_money", "MPESA", "KES")
        return f"RCP_{account_number}"

    def transfer(self, *, reference, amount, currency, recipient, reason):
        self.calls.append("transfer")
        mood = self.moods.popleft() if self.moods else "pending"
        if mood == "unavailable":
            raise paystack.PaystackUnavailableError("no line")
        if mood == "refuse":
            raise paystack.PaystackRefusedError("Your balance is not enough", status=400)
        if reference in self.made:
            raise paystack.PaystackRefusedError("Duplicate", status=400, code="duplicate_reference")
        status = "otp" if mood == "otp" else "pending"
        state = paystack.TransferState(
            reference=reference, code="TRF_1", status=status, amount=amount, currency=currency, raw={}
        )
        self.made[reference] = state
        if mood == "lose the answer":
            raise paystack.OutcomeUnknownError("time is up")
        return state

    def verify_transfer(self, *, reference):
        self.calls.append("verify")
        if reference not in self.made:
            raise paystack.NotFoundError("Transfer not found", status=404)
        return self.made[reference]


@pytest.fixture
def there(monkeypatch):
    """Paystack's side."""
    fake = FakeTransfers()
    for name in ("create_recipient", "transfer", "verify_transfer"):
        monkeypatch.setattr(paying_out.paystack, name, getattr(fake, name))
    return fake


def agree(withdrawal, by=None, key="one"):
    return approve_withdrawal(
        withdrawal=withdrawal,
        by=by or treasurer(),
        reason="Identity seen",
        idem_key=f"withdrawal:{withdrawal.public_id}:approved:{key}",
        now=timezone.now(),
    )


def by_hand(withdrawal, by=None, evidence="Receipt 17 of the bank"):
    return mark_paid_by_hand(
        withdrawal=withdrawal,
        by=by or treasurer(),
        evidence=evidence,
        idem_key=f"withdrawal:{withdrawal.public_id}:by-hand:one",
        now=timezone.now(),
    )


def held(withdrawal):
    return balance(f"held:withdrawal:{withdrawal.public_id}:KES")


def leaving(withdrawal):
    return balance(f"leaving:withdrawal:{withdrawal.public_id}:KES")


def wallet(member=None):
    return dict(wallet_balances(member or alice())).get("KES", 0)


def told(withdrawal):
    """What the member heard of it."""
    names = Message.objects.filter(about=withdrawal.name).values_list("kind", flat=True)
    return sorted(name.removeprefix("payments.withdrawal_") for name in names)


@pytest.mark.django_db
def test_asked_agreed_to_sent_and_paid(client, there):
    withdrawal = withdrawal_of(alice(), holds=80_000)
    assert (wallet(), held(withdrawal)) == (30_000, 50_000)
    agree(withdrawal)
    assert (held(withdrawal), leaving(withdrawal)) == (0, 50_000)
    assert send_due_withdrawals(now=timezone.now()) == 1
    withdrawal.refresh_from_db()
    assert (withdrawal.state, withdrawal.transfer_code) == ("sent", "TRF_1")
    for _time in range(3):
        assert send(client, transfer_event(withdrawal)).status_code == 200
    apply_status(withdrawal=withdrawal, status="success", now=timezone.now())
    withdrawal.refresh_from_db()
    assert withdrawal.state == "paid"
    assert (wallet(), leaving(withdrawal), balance("paystack:KES")) == (30_000, 0, 50_000)
    assert told(withdrawal) == ["paid", "requested"]
    assert send_due_withdrawals(now=timezone.now() + HOUR) == 0
    assert_books_balance()


@pytest.mark.django_db
def test_no_more_than_the_wallet_holds():
    with pytest.raises(WithdrawalError, match=r"holds KES 100\.00"):
        withdrawal_of(alice(), 10_001, holds=10_000)
    assert wallet() == 10_000
    assert not Withdrawal.objects.exists()
    assert not Message.objects.filter(kind="payments.withdrawal_requested").exists()


@pytest.mark.django_db
def test_the_same_form_is_one_withdrawal_and_not_another_one():
    first = withdrawal_of(alice(), key="form", holds=200_000)
    assert withdrawal_of(alice(), key="form", holds=0) == first
    assert wallet() == 150_000
    with pytest.raises(WithdrawalError, match="another content"):
        withdrawal_of(alice(), 60_000, key="form", holds=0)


def at_once(*acts):
    """Do them at the same moment on lines of their own; what each came to, an error included."""
    barrier, results = threading.Barrier(len(acts)), [None] * len(acts)

    def run(number, act):
        try:
            barrier.wait()
            results[number] = act()
        except Exception as error:
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_two_at_once_cant_take_out_the_same_money(cloned_db):
    member = alice()
    withdrawal_of(member, 1_000, holds=81_000)
    results = at_once(*[lambda: withdrawal_of(member, holds=0)] * 2)
    assert sorted(type(result).__name__ for result in results) == ["Withdrawal", "WithdrawalError"]
    assert wallet() == 30_000
    assert_books_balance()


def test_the_same_form_sent_twice_at_once_is_one(cloned_db):
    member = alice()
    withdrawal_of(member, 1_000, holds=201_000)
    results = at_once(*[lambda: withdrawal_of(member, key="form", holds=0)] * 2)
    assert results[0] == results[1]
    assert wallet() == 150_000


def test_cancelled_and_approved_at_once_is_one_of_both(cloned_db):
    member, staff = alice(), treasurer()
    for number in range(4):
        withdrawal = withdrawal_of(member, 1_000 + number)
        before = wallet()
        cancelled, approved = at_once(
            lambda one=withdrawal: cancel_withdrawal(withdrawal=one, member=member, now=timezone.now()),
            lambda one=withdrawal: agree(one, by=staff),
        )
        withdrawal.refresh_from_db()
        assert isinstance(cancelled, WithdrawalError) != isinstance(
            approved, (WithdrawalError, ApprovalError)
        )
        if withdrawal.state == "cancelled":
            assert (wallet(), leaving(withdrawal)) == (before + withdrawal.amount, 0)
        else:
            assert (withdrawal.state, wallet(), leaving(withdrawal)) == (
                "approved",
                before,
                withdrawal.amount,
            )
    assert_books_balance()


@pytest.mark.django_db
def test_an_answer_that_got_lost_is_looked_for_and_not_sent_again(there):
    withdrawal = withdrawal_of(alice())
    agree(withdrawal)
    there.moods.append("lose the answer")
    now = timezone.now()
    send_due_withdrawals(now=now)
    assert send_due_withdrawals(now=now) == 0
    send_due_withdrawals(now=now + HOUR)
    assert there.calls == ["transfer", "verify"]
    withdrawal.refresh_from_db()
    assert withdrawal.state == "sent"


@pytest.mark.django_db
def test_what_never_got_there_is_sent_again_under_the_same_reference(there):
    withdrawal = withdrawal_of(alice())
    agree(withdrawal)
    there.moods.append("unavailable")
    send_due_withdrawals(now=timezone.now())
    send_due_withdrawals(now=timezone.now() + HOUR)
    assert there.calls == ["transfer", "verify", "transfer"]
    assert list(there.made) == [withdrawal.reference]


@pytest.mark.django_db
@pytest.mark.parametrize("ending", ["failed", "reversed"])
def test_what_fails_goes_back_once(client, there, ending):
    withdrawal = withdrawal_of(alice())
    agree(withdrawal)
    send_due_withdrawals(now=timezone.now())
    for _time in range(3):
        send(client, transfer_event(withdrawal, ending))
    assert (wallet(), leaving(withdrawal), balance("paystack:KES")) == (50_000, 0, 0)
    withdrawal.refresh_from_db()
    assert withdrawal.state == "failed"
    assert told(withdrawal) == ["failed", "requested"]
    assert_books_balance()


@pytest.mark.django_db
def test_what_is_reversed_after_it_was_paid_comes_back(client, there):
    withdrawal = withdrawal_of(alice())
    agree(withdrawal)
    send_due_withdrawals(now=timezone.now())
    send(client, transfer_event(withdrawal))
    for _time in range(2):
        send(client, transfer_event(withdrawal, "reversed"))
    assert (wallet(), balance("paystack:KES")) == (50_000, 0)
    send(client, transfer_event(withdrawal, "success", late=True))
    assert wallet() == 50_000
    assert ReviewItem.objects.get().kind == "withdrawal"  # it says paid once more: for people
    assert_books_balance()


@pytest.mark.django_db
def test_events_with_another_amount_or_of_somebody_else_move_nothing(client, there):
    withdrawal = withdrawal_of(alice())
    agree(withdrawal)
    send_due_withdrawals(now=timezone.now())
    send(client, transfer_event(withdrawal, amount=49_999))
    send(client, transfer_event(withdrawal, reference="somebody-elses-0001"))
    assert leaving(withdrawal) == 50_000
    assert ReviewItem.objects.get().kind == "withdrawal"


@pytest.mark.django_db
def test_a_code_that_paystack_wants_is_for_people_and_is_asked_about(there):
    withdrawal = withdrawal_of(alice())
    agree(withdrawal)
    there.moods.append("otp")
    send_due_withdrawals(now=timezone.now())
    withdrawal.refresh_from_db()
    assert withdrawal.state == "attention"
    with pytest.raises(WithdrawalError, match="may still pay"):
        reject_withdrawal(withdrawal=withdrawal, reason="No", by=treasurer(), now=timezone.now())
    with pytest.raises(WithdrawalError):
        send_again(withdrawal=withdrawal, by=treasurer(), now=timezone.now())
    there.made[withdrawal.reference] = paystack.TransferState(
        reference=withdrawal.reference, code="TRF_1", status="success", amount=50_000, currency="KES", raw={}
    )
    send_due_withdrawals(now=timezone.now() + HOUR)
    withdrawal.refresh_from_db()
    assert withdrawal.state == "paid"
    assert ReviewItem.objects.get().state == "resolved"
    assert there.calls == ["transfer", "verify"]


@pytest.mark.django_db
def test_what_paystack_refuses_can_be_sent_again_or_rejected(there):
    withdrawal = withdrawal_of(alice())
    agree(withdrawal)
    there.moods.extend(["refuse", "refuse"])
    send_due_withdrawals(now=timezone.now())
    withdrawal.refresh_from_db()
    assert withdrawal.state == "attention"
    assert ReviewItem.objects.get().kind == "withdrawal"
    send_again(withdrawal=withdrawal, by=treasurer(), now=timezone.now())
    send_due_withdrawals(now=timezone.now() + HOUR)
    assert there.calls == ["transfer", "transfer"]
    reject_withdrawal(withdrawal=withdrawal, reason="The number is wrong", by=treasurer(), now=timezone.now())
    assert (wallet(), leaving(withdrawal)) == (50_000, 0)
    assert send_due_withdrawals(now=timezone.now() + 2 * HOUR) == 0
    assert_books_balance()


@pytest.mark.django_db
def test_rejected_with_a_reason_is_back_and_told():
    withdrawal = withdrawal_of(alice())
    with pytest.raises(WithdrawalError, match="Say why"):
        reject_withdrawal(withdrawal=withdrawal, reason=" ", by=treasurer(), now=timezone.now())
    for _time in range(2):
        reject_withdrawal(withdrawal=withdrawal, reason="Not your name", by=treasurer(), now=timezone.now())
    assert (wallet(), held(withdrawal)) == (50_000, 0)
    assert told(withdrawal) == ["rejected", "requested"]
    with pytest.raises((WithdrawalError, ApprovalError)):
        agree(withdrawal)
    assert_books_balance()


@pytest.mark.django_db
def test_a_large_one_takes_two_people_and_nobody_agrees_to_their_own():
    withdrawal = withdrawal_of(alice(), MUCH)
    outcome = agree(withdrawal)
    assert outcome.waits
    with pytest.raises(ApprovalError):
        approve(approval=outcome.approval, by=treasurer(), now=timezone.now())
    approve(approval=outcome.approval, by=admin(), now=timezone.now())
    assert leaving(withdrawal) == MUCH
    own = withdrawal_of(treasurer())
    for act in (agree, by_hand):
        with pytest.raises(WithdrawalError, match="your own"):
            act(own)
    with pytest.raises(WithdrawalError, match="your own"):
        reject_withdrawal(withdrawal=own, reason="No", by=treasurer(), now=timezone.now())
    large = withdrawal_of(treasurer(), MUCH)
    asked = agree(large, by=admin())
    with pytest.raises(CantBeDoneError, match="your own"):
        approve(approval=asked.approval, by=treasurer(), now=timezone.now())


@pytest.mark.django_db
def test_cancelled_while_a_second_person_thinks_is_not_paid():
    withdrawal = withdrawal_of(alice(), MUCH)
    agree(withdrawal)
    cancel_withdrawal(withdrawal=withdrawal, member=alice(), now=timezone.now())
    with pytest.raises(CantBeDoneError):
        approve(approval=Approval.objects.get(), by=admin(), now=timezone.now())
    assert (wallet(), leaving(withdrawal)) == (MUCH, 0)
    with pytest.raises(WithdrawalError):
        cancel_withdrawal(withdrawal=withdrawal_of(alice()), member=bob(), now=timezone.now())


@pytest.mark.django_db
def test_paid_by_hand_with_evidence(there):
    withdrawal = withdrawal_of(alice())
    with pytest.raises(WithdrawalError, match="how it was paid"):
        by_hand(withdrawal, evidence=" ")
    for _time in range(2):
        by_hand(Withdrawal.objects.get(pk=withdrawal.pk) if _time == 0 else withdrawal)
    withdrawal.refresh_from_db()
    assert (withdrawal.state, withdrawal.evidence) == ("paid", "Receipt 17 of the bank")
    assert (wallet(), held(withdrawal), balance("world:paid_by_hand:KES")) == (0, 0, 50_000)
    assert send_due_withdrawals(now=timezone.now() + HOUR) == 0
    apply_status(withdrawal=withdrawal, status="reversed", now=timezone.now())
    assert wallet() == 0
    assert_books_balance()


@pytest.mark.django_db
def test_what_is_on_its_way_cant_be_paid_by_hand_too(there):
    withdrawal = withdrawal_of(alice())
    agree(withdrawal)
    send_due_withdrawals(now=timezone.now())
    withdrawal.refresh_from_db()
    with pytest.raises((WithdrawalError, ApprovalError)):
        by_hand(withdrawal)
    assert leaving(withdrawal) == 50_000


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [{"amount": 1}, {"unit": "NGN"}, {"bank_code": "01"}, {"account_number": "1"}, {"account_number": ""}],
)
def test_the_database_keeps_what_was_asked_for(change):
    withdrawal = withdrawal_of(alice())
    with pytest.raises(DatabaseError, match="does not change"), transaction.atomic():
        Withdrawal.objects.filter(pk=withdrawal.pk).update(**change)


@pytest.mark.django_db
def test_the_database_keeps_what_is_finished():
    withdrawal = withdrawal_of(alice())
    cancel_withdrawal(withdrawal=withdrawal, member=alice(), now=timezone.now())
    rows = Withdrawal.objects.filter(pk=withdrawal.pk)
    for change in ({"state": "approved", "finished_at": None}, {"state": "paid"}):
        with pytest.raises(DatabaseError, match="is the end of it"), transaction.atomic():
            rows.update(**change)
    with pytest.raises(DatabaseError, match="refused"), transaction.atomic():
        rows.delete()


@pytest.mark.django_db
def test_the_account_is_exported_and_forgotten():
    withdrawal = withdrawal_of(alice())
    person = person_of(alice())
    assert privacy.export(person=person)["withdrawals"][0]["account_number"] == "0711000001"
    assert privacy.erase(person=person)["withdrawal_destinations"] == 0  # it is still to be paid
    cancel_withdrawal(withdrawal=withdrawal, member=alice(), now=timezone.now())
    assert privacy.erase(person=person)["withdrawal_destinations"] == 1
    withdrawal.refresh_from_db()
    assert (withdrawal.account_number, withdrawal.account_name) == ("", "")
