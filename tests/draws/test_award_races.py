"""Claims, declines and expiries at the same moment, and `kill -9` in the middle. Real connections and processes."""

import datetime as dt
import io
import random
import time

import pytest
from django.core.management import call_command

from audit.models import Record
from draws import services
from draws.models import Award, Disposition, Draw, Voucher, Winner
from notifications.models import Message
from notifications.services.expansion import expand_due_messages
from payments.models import LedgerEntry, Posting
from tests.draws.factories import CASH, SMALL, VOUCHER, balance, environment, make_executed, pool_of
from tests.draws.processes import at_once, command, gate, kill, start, together
from tests.draws.proofs import assert_proof_holds, dispositions, holders
from tests.factories import alice, make_user

EIGHT = 8
LATE = dt.timedelta(days=15)


def only_award(draw: Draw) -> Award:
    return Award.objects.get(about=draw.about)


def refused(work) -> str:
    """What `work()` gives, or the sentence it is refused with."""
    try:
        work()
    except services.ClaimError as error:
        return str(error)
    return "done"


def leave(member) -> None:
    """The address is free for the next round, in which the same guests enter."""
    member.emailaddress_set.all().delete()
    type(member).objects.filter(pk=member.pk).update(email=f"gone{member.pk}@example.com")


def claiming(award, member, now):
    """The button, for threads: pressed, it gives the state of the award."""
    return lambda: services.claim_award(award=award, member=member, now=now).state


def test_many_who_claim_at_once_are_paid_once(parallel, soak_rounds):
    for _ in range(soak_rounds(2, 30)):
        draw = make_executed(entrants=3, prizes=[CASH])
        award = only_award(draw)
        member = make_user(email=award.identity)
        outcomes = parallel(claiming(award, member, draw.draw_at), EIGHT)
        assert outcomes.errors == []
        assert outcomes.results == [Award.State.PAID] * EIGHT
        assert balance(f"member:{member.pk}:KES") == 100_000
        assert LedgerEntry.objects.filter(kind="prize.claimed", about=draw.about).count() == 1
        assert_proof_holds(draw)
        leave(member)


def test_many_who_claim_a_voucher_at_once_get_one_code(parallel):
    draw = make_executed(entrants=3, prizes=[VOUCHER])
    award = only_award(draw)
    outcomes = parallel(
        lambda: services.claim_award(award=award, member=None, now=draw.draw_at).voucher.code, EIGHT
    )
    assert outcomes.errors == []
    assert len(set(outcomes.results)) == Voucher.objects.count() == 1


def test_a_voucher_redeemed_many_times_at_once_is_used_once(parallel):
    draw = make_executed(entrants=3, prizes=[VOUCHER])
    code = services.claim_award(award=only_award(draw), member=None, now=draw.draw_at).voucher.code
    member = alice()
    outcomes = parallel(
        lambda: services.redeem_voucher(code=code, by=member, note="", now=draw.draw_at), EIGHT
    )
    assert len(outcomes.results) == 1
    assert {type(error) for error in outcomes.errors} == {services.VoucherError}


def test_of_a_claim_and_an_expiry_at_the_same_moment_one_wins(cloned_db, soak_rounds):
    for _ in range(soak_rounds(4, 60)):
        draw = make_executed(entrants=6, prizes=[CASH])
        award = only_award(draw)
        member = make_user(email=award.identity)

        def claim(award=award, member=member):
            return refused(lambda: services.claim_award(award=award, member=member, now=award.claim_until))

        def expire(award=award):
            return services.expire_awards(now=award.claim_until + dt.timedelta(microseconds=1)).expired

        answers = together([claim, expire])
        award.refresh_from_db()
        if award.state == Award.State.PAID:
            assert sorted(map(str, answers)) == ["0", "done"]
            assert balance(f"member:{member.pk}:KES") == 100_000
            assert (pool_of(draw), holders(draw)) == ((0, 0, 0), {0: 0})
        else:
            assert sorted(map(str, answers)) == ["1", "The time to claim this prize is over."]
            assert balance(f"member:{member.pk}:KES") == 0
            assert (pool_of(draw), holders(draw)) == ((0, 0, 100_000), {0: 1})
        assert_proof_holds(draw)
        leave(member)


@pytest.mark.parametrize("first", ["claim", "expiry"])
def test_whoever_has_the_award_first_wins_and_the_other_waits(cloned_db, first):
    draw = make_executed(entrants=6, prizes=[CASH])
    award = only_award(draw)
    member = make_user(email=award.identity)
    after = award.claim_until + dt.timedelta(seconds=1)

    def claim():
        services.claim_award(award=award, member=member, now=award.claim_until)

    def expire():
        services.expire_awards(now=after)

    with gate(cloned_db) as shut:
        shut.shut("draws_award", "UPDATE")
        one = start(claim if first == "claim" else expire)
        shut.wait_for_one()
        other = start(expire if first == "claim" else claim)
        time.sleep(0.5)  # long enough to reach the lock; whether it has changes nothing about the outcome
        shut.open()
        one.join(60)
        other.join(60)
    award.refresh_from_db()
    assert award.state == (Award.State.PAID if first == "claim" else Award.State.EXPIRED)
    assert holders(draw) == ({0: 0} if first == "claim" else {0: 1})
    assert_proof_holds(draw)


def test_eight_processes_expire_each_award_once(cloned_db):
    draws = [make_executed(entrants=30, prizes=[SMALL, ("Many", "cash", 100, 6)]) for _ in range(3)]
    now = draws[0].draw_at + LATE
    counts = at_once(lambda: services.expire_awards(now=now), EIGHT)
    assert sum(item.expired for item in counts) == 24
    assert not any(item.failed for item in counts)
    for draw in draws:
        assert holders(draw) == {slot: slot + 8 for slot in range(8)}
        assert len(dispositions(draw)) == 16
        assert Award.objects.filter(about=draw.about, state="expired").count() == 8
        assert Record.objects.filter(action="draw.rank_promoted", target=draw.about).count() == 8
        assert Message.objects.filter(kind="draws.prize_forfeited", about=draw.about).count() == 1
        assert pool_of(draw) == (0, 0, 20_600)
        assert_proof_holds(draw)


def test_many_who_decline_and_are_expired_at_once_promote_once_for_each(cloned_db):
    draw = make_executed(entrants=30, prizes=[("Many", "cash", 100, 6)])
    awards = list(Award.objects.filter(about=draw.about))
    now = awards[0].claim_until

    def declining(award):
        winner = make_user(email=award.identity)
        return lambda: refused(lambda: services.decline_award(award=award, member=winner, now=now))

    works = [declining(award) for award in awards] + [
        lambda: str(services.expire_awards(now=now + dt.timedelta(seconds=1)).expired)
    ]
    together(works)
    services.expire_awards(now=now + dt.timedelta(seconds=1))
    assert sorted(holders(draw)) == list(range(6))
    assert sorted(holders(draw).values()) == list(range(6, 12))
    assert Award.objects.filter(about=draw.about).count() == 12
    assert pool_of(draw) == (0, 0, 600)
    assert_proof_holds(draw)


TABLES = (Winner, Award, Disposition, LedgerEntry, Posting, Message, Record)


def rows():
    """How many rows of everything that an expiry writes."""
    return {table.__name__: table.objects.count() for table in TABLES}


def assert_expired_once(draw: Draw) -> None:
    assert holders(draw) == {0: 3, 1: 4, 2: 5}
    assert Award.objects.filter(about=draw.about, state="expired").count() == 3
    assert LedgerEntry.objects.filter(kind="prize.forfeited", about=draw.about).count() == 3
    assert Message.objects.filter(kind="draws.prize_forfeited", about=draw.about).count() == 1
    assert Message.objects.filter(kind="draws.winner_announcement", about=draw.about).count() == 2
    expand_due_messages(now=draw.draw_at + LATE)
    assert pool_of(draw) == (0, 0, 120_000)
    assert_proof_holds(draw)


@pytest.mark.parametrize(
    ("table", "event", "when"),
    [
        ("draws_disposition", "INSERT", ""),
        ("draws_disposition", "INSERT", "NEW.state = 'promoted'"),
        ("draws_winner", "UPDATE", ""),
        ("payments_posting", "INSERT", ""),
        ("draws_award", "INSERT", ""),
        ("draws_winner", "INSERT", ""),
        ("notifications_message", "INSERT", "NEW.kind = 'draws.winner_announcement'"),
        ("draws_award", "UPDATE", ""),
        ("audit_record", "INSERT", "NEW.action = 'award.forfeited'"),
        ("notifications_message", "INSERT", "NEW.kind = 'draws.prize_forfeited'"),
    ],
)
def test_a_worker_killed_while_it_expires_leaves_nothing_and_the_next_run_completes(
    cloned_db, table, event, when
):
    draw = make_executed(entrants=10, prizes=[CASH, SMALL])
    now = draw.draw_at + LATE
    before = rows()
    with gate(cloned_db) as shut:
        shut.shut(table, event, when)
        process = start(lambda: services.expire_awards(now=now))
        backend = shut.wait_for_one()
        kill(process)
        # Nobody waits for the dead worker's lock: other draws have prizes that expire too.
        assert services.expire_awards(now=now).expired == 0
        shut.open(gone=backend)
    assert rows() == before
    assert_proof_holds(draw)
    assert services.expire_awards(now=now).expired == 3
    assert_expired_once(draw)


def test_the_command_killed_while_it_expires_can_be_run_again(cloned_db, tmp_path):
    draw = make_executed(entrants=10, prizes=[CASH, SMALL], claim_days=1)
    Award.objects.filter(about=draw.about).update(claim_until=draw.draw_at)  # two hours ago
    with gate(cloned_db) as shut:
        shut.shut("draws_winner")
        process = command(cloned_db, tmp_path, "expire_awards", env=environment(cloned_db))
        backend = shut.wait_for_one(process)
        process.kill()
        shut.open(gone=backend)
    said = io.StringIO()
    call_command("expire_awards", stdout=said)
    assert said.getvalue() == "3 prizes expired.\n"
    assert_expired_once(draw)


def test_workers_killed_at_random_moments_end_as_if_nothing_had_happened(cloned_db, soak_rounds):
    for number in range(soak_rounds(2, 40)):
        draw = make_executed(entrants=10, prizes=[CASH, SMALL])
        now, choose = draw.draw_at + LATE, random.Random(number)
        for _ in range(4):
            process = start(lambda now=now: services.expire_awards(now=now))
            time.sleep(choose.uniform(0, 0.08))
            kill(process)
        services.expire_awards(now=now)
        assert_expired_once(draw)


def test_a_claim_killed_in_the_middle_pays_nothing_and_can_be_repeated(cloned_db):
    draw = make_executed(entrants=3, prizes=[CASH])
    award = only_award(draw)
    member = make_user(email=award.identity)
    with gate(cloned_db) as shut:
        shut.shut("audit_record", "INSERT", "NEW.action = 'award.claimed'")
        process = start(lambda: services.claim_award(award=award, member=member, now=draw.draw_at))
        backend = shut.wait_for_one()
        kill(process)
        shut.open(gone=backend)
    assert balance(f"member:{member.pk}:KES") == 0
    services.claim_award(award=award, member=member, now=draw.draw_at)
    assert balance(f"member:{member.pk}:KES") == 100_000
    assert_proof_holds(draw)
