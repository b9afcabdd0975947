"""Whatever happens in whatever order, and however badly Paystack tells it: the books agree with what was paid.

A hypothesis state machine buys, pays, spends, refunds, disputes, loses answers and repeats events; Paystack's truth
(`tests/payments/truth.py`) is kept beside the books, and compared with them when everything has settled.
"""

import contextlib
import datetime as dt
import uuid
from collections.abc import Callable

import pytest
from django.db import transaction
from django.db.models import Q, Sum
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts.models import User
from payments import paystack
from payments.accounts import ensure_accounts, member_account
from payments.checking import check_ledger
from payments.ledger import Leg, post
from payments.models import Dispute, Package, Payment, Posting, Refund, WebhookEvent
from payments.packages import KIND
from payments.services import webhook
from payments.services.asking import (
    NotKnownThereError,
    check_due_payments,
    compare_with_listing,
    reconcile_payment,
)
from payments.services.checkout import CheckoutError, begin_checkout, paystack_page
from payments.services.refunding import RefundError, ask_due_refunds, request_refund
from payments.services.settling import issued_account
from tests.factories import alice, bob, treasurer
from tests.payments.books import NOW
from tests.payments.shop import balance, credits_of, make_package
from tests.payments.truth import FINISHED, ThereDispute, Truth

FEES = 1_234
MOST_PAYMENTS = 3
WAYS = ("exact", "exact", "exact", "fees", "more", "less", "currency", "domain")
"""How somebody pays: the last three are not what was asked for."""
WRONG = ("less", "currency", "domain")
MOODS = ("", "unavailable", "lost", "pending", "failed", "behind")
FINISHED_BY_NOBODY = Q(state__in=("requested", "asked", "attention"))

which = st.integers(0, 5)
variants = st.integers(0, 2)


class MoneyMachine(RuleBasedStateMachine):
    """Drives the site from all sides at once, and asks after each step whether money appeared or vanished."""

    def __init__(self) -> None:
        super().__init__()
        self.undo = transaction.atomic()
        self.undo.__enter__()
        self.now, self.there = NOW, Truth()
        self.patches = pytest.MonkeyPatch()
        for name in ("initialize", "verify", "list_transactions", "refund", "list_refunds"):
            self.patches.setattr(paystack, name, getattr(self.there, name))
        self.members, self.staff = (alice(), bob()), treasurer()
        self.package = make_package()
        self.promised: dict[str, tuple[User, int, int]] = {}
        self.paid_how: dict[str, str] = {}
        self.others = dict.fromkeys(self.members, 0)  # credits given, less those spent
        self.keys = 0

    def teardown(self) -> None:
        try:
            self.let_everything_settle()
            self.compare_with_the_truth()
        finally:
            self.patches.undo()
            transaction.set_rollback(True)
            self.undo.__exit__(None, None, None)

    @initialize()
    def begin(self) -> None:
        """One payment is booked already: most of what can go wrong comes after that."""
        self.buy(0, True)
        self.pay(0, "exact")
        self.tell_of_a_charge(0, 0)

    # --- members

    @precondition(lambda self: len(self.promised) < MOST_PAYMENTS)
    @rule(number=which, is_opened=st.booleans())
    def buy(self, number: int, is_opened: bool) -> None:
        buyer = self.members[number % 2]
        payment = begin_checkout(
            kind=KIND,
            item=str(self.package.public_id),
            buyer=buyer,
            checkout_key=uuid.uuid4(),
            now=self.now,
        )
        self.promised[payment.reference] = (buyer, self.package.credits, self.package.price)
        if is_opened:
            try:
                paystack_page(payment=payment, callback_url="https://site.example/", now=self.now)
            except CheckoutError:
                assert Payment.objects.get(pk=payment.pk).status == "failed"

    @precondition(lambda self: self.promised)
    @rule(number=which, way=st.sampled_from(WAYS))
    def pay(self, number: int, way: str) -> None:
        reference = self.reference(number)
        if self.there.is_paid(reference):
            return
        price = self.promised[reference][2]
        charge = {"amount": price, "currency": "KES", "domain": "test"} | {
            "exact": {},
            "fees": {"amount": price + FEES, "requested": price},
            "more": {"amount": price + 5_000},
            "less": {"amount": price - 1},
            "currency": {"currency": "NGN"},
            "domain": {"domain": "live"},
        }[way]
        self.there.pay(reference, **charge)
        self.paid_how[reference] = way

    @precondition(lambda self: self.promised)
    @rule(number=which, status=st.sampled_from(("failed", "abandoned", "ongoing")))
    def give_up(self, number: int, status: str) -> None:
        if not self.there.is_paid(self.reference(number)):
            self.there.give_up(self.reference(number), status)

    @rule(number=which, credits=st.integers(1, 60))
    def spend(self, number: int, credits: int) -> None:
        member = self.members[number % 2]
        if credits <= credits_of(member):
            self.move_credits(member, -credits)

    @rule(number=which, credits=st.integers(1, 20))
    def give(self, number: int, credits: int) -> None:
        self.move_credits(self.members[number % 2], credits)

    # --- staff

    @rule(price=st.integers(90, 60_000), credits=st.integers(1, 60))
    def change_the_package(self, price: int, credits: int) -> None:
        self.package.price, self.package.credits = price, credits
        self.package.save()

    @precondition(lambda self: self.promised)
    @rule(number=which, credits=st.integers(1, 60), is_equal=st.booleans())
    def ask_for_a_refund(self, number: int, credits: int, is_equal: bool) -> None:
        """Often of the same ten credits, so that there are several which look alike."""
        payment = self.payment(number)
        self.keys += 1
        with contextlib.suppress(RefundError):
            request_refund(
                payment=payment,
                credits=min(10, payment.credits) if is_equal else credits,
                by=self.staff,
                reason="Not needed",
                idem_key=f"machine:refund:{self.keys}",
                now=self.now,
            )

    @precondition(lambda self: self.promised)
    @rule(number=which)
    def reconcile(self, number: int) -> None:
        with contextlib.suppress(NotKnownThereError, paystack.PaystackError):
            reconcile_payment(payment=self.payment(number), by=self.staff, now=self.now)

    # --- jobs and time

    @rule(minutes=st.sampled_from((1, 3, 20, 70, 26 * 60, 80 * 60)))
    def wait(self, minutes: int) -> None:
        self.now += dt.timedelta(minutes=minutes)

    @rule(moods=st.lists(st.sampled_from(MOODS), max_size=3))
    def sweep(self, moods: list[str]) -> None:
        self.there.moods.extend(moods)
        webhook.work_on_due_events(now=self.now)
        check_due_payments(now=self.now)
        ask_due_refunds(now=self.now)
        self.there.moods.clear()

    @rule()
    def compare(self) -> None:
        compare_with_listing(now=self.now)

    # --- Paystack and banks

    @precondition(lambda self: self.paid_how)
    @rule(number=which, variant=variants)
    def tell_of_a_charge(self, number: int, variant: int) -> None:
        reference = list(self.paid_how)[number % len(self.paid_how)]
        self.tell(self.there.charge_event(reference, variant))
        if self.paid_how[reference] not in WRONG:
            assert Payment.objects.get(reference=reference).is_paid

    @precondition(lambda self: self.paid_how)
    @rule(number=which)
    def refund_in_the_dashboard(self, number: int) -> None:
        reference = list(self.paid_how)[number % len(self.paid_how)]
        amount = min(8_000, self.there.left(reference))
        if amount > 0:
            self.there.make_refund(reference, amount, "by hand")

    @precondition(lambda self: self.there.refunds)
    @rule(number=which, status=st.sampled_from(("processing", "needs-attention", *FINISHED)))
    def decide_a_refund(self, number: int, status: str) -> None:
        one = self.there.refunds[number % len(self.there.refunds)]
        if one.status not in FINISHED:
            one.history.append(status)

    @precondition(lambda self: self.there.refunds)
    @rule(number=which, moment=which, has_number=st.booleans(), variant=variants)
    def tell_of_a_refund(self, number: int, moment: int, has_number: bool, variant: int) -> None:
        """Also what was so long ago, and again."""
        one = self.there.refunds[number % len(self.there.refunds)]
        status = one.history[moment % len(one.history)]
        self.tell(self.there.refund_event(one, status, has_number=has_number, variant=variant))

    @precondition(lambda self: self.paid_how)
    @rule(number=which, share=st.integers(1, 4))
    def open_a_dispute(self, number: int, share: int) -> None:
        reference = list(self.paid_how)[number % len(self.paid_how)]
        amount = max(1, self.there.charges[reference]["amount"] * share // 4)
        self.there.disputes.append(ThereDispute(next(self.there.numbers), reference, amount))

    @precondition(lambda self: self.there.disputes)
    @rule(number=which, is_won=st.booleans())
    def decide_a_dispute(self, number: int, is_won: bool) -> None:
        one = self.there.disputes[number % len(self.there.disputes)]
        if not one.resolution:
            one.resolution = "declined" if is_won else "merchant-accepted"
            one.taken = 0 if is_won else one.amount

    @precondition(lambda self: self.there.disputes)
    @rule(number=which, name=st.sampled_from(("create", "remind", "resolve")), variant=variants)
    def tell_of_a_dispute(self, number: int, name: str, variant: int) -> None:
        one = self.there.disputes[number % len(self.there.disputes)]
        if name != "resolve" or one.resolution:
            self.tell(self.there.dispute_event(one, name, variant))

    # --- what holds after each step

    @invariant()
    def the_ledger_is_whole(self) -> None:
        assert check_ledger() == []
        for unit in ("KES", "CREDIT"):
            assert not Posting.objects.filter(unit=unit).aggregate(total=Sum("amount"))["total"]

    @invariant()
    def wallets_hold_what_was_bought_and_given_less_what_went(self) -> None:
        expected = dict(self.others)
        for payment in Payment.objects.filter(status__in=Payment.PAID):
            buyer, credits, _price = self.promised[payment.reference]
            gone = payment.refunds.exclude(state="failed").aggregate(total=Sum("credits"))["total"] or 0
            held = payment.disputes.exclude(state="won").aggregate(total=Sum("held_credits"))["total"] or 0
            expected[buyer] += credits - gone - held
        assert {member: credits_of(member) for member in self.members} == expected

    @invariant()
    def each_payment_is_credited_once_and_only_if_it_was_paid(self) -> None:
        booked = list(
            Posting.objects.filter(entry__kind="payment.settled", unit="CREDIT", amount__gt=0).values_list(
                "entry__about", flat=True
            )
        )
        assert len(booked) == len(set(booked))
        for payment in Payment.objects.all():
            assert payment.is_paid == (payment.name in booked)
            if payment.is_paid:
                assert self.paid_how.get(payment.reference, "less") not in WRONG

    @invariant()
    def never_more_goes_back_than_was_paid(self) -> None:
        for payment in Payment.objects.filter(status__in=Payment.PAID):
            assert 0 <= gone_from(payment) <= payment.price
            assert -payment.price <= at_paystack(payment) <= 0
            assert at_paystack(payment) == gone_from(payment) - payment.price

    @invariant()
    def only_what_is_undecided_is_held(self) -> None:
        for payment in Payment.objects.all():
            waiting = payment.refunds.filter(FINISHED_BY_NOBODY).aggregate(Sum("amount"), Sum("credits"))
            disputed = payment.disputes.filter(state="open").aggregate(total=Sum("held_credits"))["total"]
            held = f"held:payment:{payment.public_id}"
            assert balance(f"{held}:KES") == (waiting["amount__sum"] or 0)
            assert balance(f"{held}:CREDIT") == (waiting["credits__sum"] or 0) + (disputed or 0)

    @invariant()
    def the_status_says_what_became_of_it(self) -> None:
        for payment in Payment.objects.filter(status__in=Payment.PAID):
            gone = gone_from(payment)
            back = payment.refunds.filter(state="processed").aggregate(total=Sum("credits"))["total"] or 0
            if payment.disputes.filter(state="open").exists():
                assert payment.status == "disputed"
            elif not gone:
                assert payment.status == "succeeded"
            elif gone == payment.price or back == payment.credits:
                assert payment.status == "refunded"
            else:
                assert payment.status == "partly_refunded"

    @invariant()
    def every_event_is_finished_or_for_people(self) -> None:
        for event in WebhookEvent.objects.exclude(state__in=("done", "ignored", "bad")):
            assert event.state == "failed"
            assert event.reviews.exclude(state="resolved").exists()

    # --- the end

    def let_everything_settle(self) -> None:
        """Paystack decides everything, tells everything once more, the later things first; then the sweeps catch up."""
        self.there.moods.clear()
        for one in self.there.refunds:
            if one.status not in FINISHED:
                one.history.append("processed")
        for dispute in self.there.disputes:
            if not dispute.resolution:
                dispute.resolution = "declined"
        for reference in self.paid_how:
            self.tell(self.there.charge_event(reference, 0))
        for one in reversed(self.there.refunds):
            for status in reversed(one.history):
                self.tell(self.there.refund_event(one, status, has_number=True, variant=0))
        for dispute in self.there.disputes:
            self.tell(self.there.dispute_event(dispute, "resolve", 0))
        for _round in range(4):
            self.now += dt.timedelta(hours=2)
            self.sweep_quietly()

    def sweep_quietly(self) -> None:
        webhook.work_on_due_events(now=self.now)
        check_due_payments(now=self.now)
        ask_due_refunds(now=self.now)
        for one in self.there.refunds:  # those that were made just now
            if one.status not in FINISHED:
                one.history.append("processed")

    def compare_with_the_truth(self) -> None:
        for check in (
            self.the_ledger_is_whole,
            self.never_more_goes_back_than_was_paid,
            self.only_what_is_undecided_is_held,
            self.the_status_says_what_became_of_it,
            self.every_event_is_finished_or_for_people,
        ):
            check()
        assert not Refund.objects.filter(state__in=("requested", "asked")).exists()
        assert not Dispute.objects.filter(state="open").exists()
        for payment in Payment.objects.all():
            is_shown = payment.reviews.exclude(state="resolved").exists()
            is_there = self.there.is_paid(payment.reference)
            assert is_there or not payment.is_paid
            if is_there and not payment.is_paid:
                assert self.paid_how[payment.reference] in WRONG
                assert is_shown
            elif is_there:
                paid, gone = (
                    self.there.charges[payment.reference]["amount"],
                    self.there.gone(payment.reference),
                )
                paid -= FEES if self.paid_how[payment.reference] == "fees" else 0
                assert at_paystack(payment) == gone - paid or is_shown, (payment.reference, paid, gone)

    # --- its own hands

    def tell(self, body: bytes) -> None:
        answer = webhook.receive(body=body, now=self.now)
        assert answer.status in (200, 400)

    def reference(self, number: int) -> str:
        return list(self.promised)[number % len(self.promised)]

    def payment(self, number: int) -> Payment:
        return Payment.objects.get(reference=self.reference(number))

    def move_credits(self, member: User, amount: int) -> None:
        self.keys += 1
        specs = [member_account(member.pk, "CREDIT"), issued_account()]
        accounts = ensure_accounts(specs)
        post(
            idem_key=f"machine:moved:{self.keys}",
            kind="test.moved",
            legs=[Leg(accounts[specs[0].code], amount), Leg(accounts[specs[1].code], -amount)],
            about="tests.machine:1",
            actor=None,
            now=self.now,
        )
        self.others[member] += amount


def at_paystack(payment: Payment) -> int:
    """What of a payment's money is outside, as the ledger has it: below zero by what came in."""
    found = Posting.objects.filter(entry__about=payment.name, account__code="paystack:KES")
    return found.aggregate(total=Sum("amount"))["total"] or 0


def gone_from(payment: Payment) -> int:
    """What went back by refunds and disputes, as the payments have it."""
    sent = payment.refunds.filter(state="processed").aggregate(total=Sum("amount"))["total"] or 0
    lost = payment.disputes.filter(state="lost").aggregate(total=Sum("amount"))["total"] or 0
    return sent + lost


def test_the_books_agree_with_what_was_paid(db: None, soak_rounds: Callable[[int, int], int]) -> None:
    chosen = settings(
        max_examples=soak_rounds(15, 1_500),
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    run_state_machine_as_test(MoneyMachine, settings=chosen)
    assert not Payment.objects.exists()
    assert not Package.objects.exists()
