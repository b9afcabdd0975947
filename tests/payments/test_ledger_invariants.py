"""Whatever is posted in whatever order: money neither appears nor vanishes (a hypothesis state machine)."""

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from payments.accounts import AccountSpec, ensure_accounts, funding_account
from payments.checking import check_ledger
from payments.ledger import EntrySpec, IdempotencyConflictError, InsufficientFundsError, Leg, post_many
from payments.models import Account, Posting
from tests.payments.books import NOW

CODES = ("member:a:KES", "member:b:KES", "pool:x:KES", "member:a:CREDIT", "pool:x:CREDIT")
WORLDS = ("world:funding:KES", "world:funding:CREDIT")

amounts = st.integers(1, 120)
keys = st.integers(1, 12)
moves = st.tuples(st.sampled_from(CODES + WORLDS), st.sampled_from(CODES + WORLDS), amounts, keys)


class LedgerMachine(RuleBasedStateMachine):
    """Keeps a plain dictionary of balances beside the ledger and compares after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.undo = transaction.atomic()
        self.undo.__enter__()
        specs = [AccountSpec(code=code, unit=code.rpartition(":")[2]) for code in CODES]
        self.accounts = ensure_accounts([*specs, funding_account("KES"), funding_account("CREDIT")])
        self.balances = dict.fromkeys(CODES + WORLDS, 0)
        self.posted: dict[str, tuple[str, str, int]] = {}

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.undo.__exit__(None, None, None)

    @rule(batch=st.lists(moves, min_size=1, max_size=4))
    def post(self, batch: list[tuple[str, str, int, int]]) -> None:
        batch = [move for move in batch if move[0][-4:] == move[1][-4:]]
        expected, balances, posted = None, dict(self.balances), dict(self.posted)
        for source, target, amount, number in batch:
            key, content = f"machine:{number}", (source, target, amount)
            if posted.setdefault(key, content) != content:
                expected = IdempotencyConflictError
        if expected is None:
            done = set(self.posted)
            for source, target, amount, number in batch:
                if f"machine:{number}" in done:
                    continue
                done.add(f"machine:{number}")
                # The legs of an entry are posted in order: what an account gives to itself it must hold.
                if source in CODES and balances[source] < amount:
                    expected = InsufficientFundsError
                    break
                balances[source] -= amount
                balances[target] += amount
        specs = [
            EntrySpec(
                idem_key=f"machine:{number}",
                kind="test.moved",
                legs=[Leg(self.accounts[source], -amount), Leg(self.accounts[target], amount)],
                about="tests.machine:1",
            )
            for source, target, amount, number in batch
        ]
        if expected:
            with pytest.raises(expected):
                post_many(specs, now=NOW)
        else:
            post_many(specs, now=NOW)
            self.balances, self.posted = balances, posted

    @invariant()
    def the_ledger_says_what_happened(self) -> None:
        held = dict(Account.objects.filter(is_materialised=True).values_list("code", "balance"))
        assert held == {code: self.balances[code] for code in CODES}

    @invariant()
    def nothing_appears_or_vanishes(self) -> None:
        sums: dict[str, int] = {}
        for unit, amount in Posting.objects.values_list("unit", "amount"):
            sums[unit] = sums.get(unit, 0) + amount
        assert set(sums.values()) <= {0}
        assert check_ledger() == []


STEPS = settings(
    max_examples=25,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)


def test_money_never_appears_or_vanishes(db: None) -> None:
    run_state_machine_as_test(LedgerMachine, settings=STEPS)
