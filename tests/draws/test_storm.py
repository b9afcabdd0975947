"""The whole life of draws on the real site, with something dying or vanishing all the time.

Web aside, everything is real: Celery workers and beat as processes, PostgreSQL, a Redis, an SMTP server. A draw is
frozen, drawn and paid, people are told, some claim, the others' prizes go on. Meanwhile, at a statement where a
worker was made to stand still and at any other moment: `kill -9` of a worker, of the process that does the work in it,
of beat; database connections cut, the database away; Redis emptied, killed, hanging.

Beside it a twin, a copy of the database, lives the same life in peace. In the end both tell the same story.
"""

import datetime as dt
import io
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import QuerySet, Sum
from django.utils import timezone

from accounts.models import User
from draws import services
from draws.models import Award, Draw, DrawReport, Voucher
from notifications.models import Delivery, Message, State
from notifications.services import expand_due_messages
from notifications.services.sending import LEASE
from payments.models import LedgerEntry, Posting
from tests import databases
from tests.draws.factories import (
    HOUR,
    add_entrants,
    add_entry,
    assert_ledger_balances,
    environment,
    fund,
    make_draft,
    pool_of,
)
from tests.draws.processes import Gate, copy_of, gate, kill, start
from tests.draws.proofs import assert_proof_holds, holders
from tests.draws.storms import Storm, let_jobs_run_every_second, let_waits_end, named
from tests.factories import admin, make_user
from tests.fakes.smtp import FakeSMTP
from tests.live import LiveSite, wait_until

PRIZES = (
    ("At once", "cash", 10_000, 3),
    ("On claim", "cash", 20_000, 3),
    ("Credits", "credits", 30, 2),
    ("Dinner for two", "voucher", 0, 2),
)
AT_FREEZE = [
    ("draws_draw", "UPDATE", "NEW.frozen_at IS NOT NULL AND NEW.manifest IS NULL"),
    ("audit_record", "INSERT", "NEW.action = 'draw.entries_locked'"),
    ("draws_draw", "UPDATE", "NEW.manifest IS NOT NULL AND OLD.manifest IS NULL"),
    ("notifications_message", "INSERT", "NEW.kind = 'draws.entries_frozen'"),
]
AT_EXECUTION = [
    ("payments_ledgerentry", "INSERT", ""),
    ("payments_posting", "INSERT", ""),
    ("draws_award", "INSERT", ""),
    ("draws_winner", "INSERT", ""),
    ("draws_draw", "UPDATE", "NEW.status = 'executing'"),
    ("draws_drawreport", "INSERT", ""),
    ("draws_draw", "UPDATE", "NEW.status = 'completed'"),
    ("notifications_message", "INSERT", "NEW.kind = 'draws.winner_announcement'"),
]
AT_TELLING = [
    ("notifications_delivery", "INSERT", ""),
    ("notifications_message", "UPDATE", "NEW.expanded_at IS NOT NULL"),
    ("notifications_delivery", "UPDATE", "NEW.state = 'claimed' AND NEW.sending_at IS NULL"),
    ("notifications_delivery", "UPDATE", "NEW.state = 'claimed' AND NEW.sending_at IS NOT NULL"),
    ("notifications_delivery", "UPDATE", "NEW.state = 'handed'"),
]
AT_CLAIM = [
    ("draws_award", "UPDATE", ""),
    ("draws_winner", "UPDATE", ""),
    ("audit_record", "INSERT", "NEW.action = 'award.claimed'"),
]
AT_EXPIRY = [
    ("payments_posting", "INSERT", ""),
    ("draws_award", "INSERT", ""),
    ("draws_winner", "INSERT", ""),
    ("draws_disposition", "INSERT", "NEW.state = 'promoted'"),
    ("draws_award", "UPDATE", "NEW.state = 'expired'"),
    ("audit_record", "INSERT", "NEW.action = 'award.forfeited'"),
    ("notifications_message", "INSERT", "NEW.kind = 'draws.prize_forfeited'"),
]


MEMBERS, GUESTS = 12, 18
PATIENCE_S = 180
OF_FAILURES = ("draws.freeze_failed", "draws.execution_failed")  # to admins; in peace nothing fails


def test_a_storm_over_the_whole_life_of_draws_changes_nothing(
    cloned_db, own_redis, tmp_path, soak_rounds, smtp
):
    call_command("sync_schedule", stdout=io.StringIO())
    let_jobs_run_every_second()
    members = [make_user(display_name=f"Member {n}") for n in range(MEMBERS)]
    draws = [announced(members) for _ in range(soak_rounds(1, 20))]
    site = LiveSite(
        environment(cloned_db)
        | {
            "DATABASE_URL": named(cloned_db.url),
            "REDIS_URL": own_redis.url,
            "EMAIL_URL": f"smtp://127.0.0.1:{smtp.port}",
        },
        tmp_path,
    )
    with copy_of(cloned_db) as twin:
        try:
            storm = Storm(site, cloned_db, own_redis, random.Random(len(draws)))
            for draw in draws:
                stormy = Life(draw, storm, soak_rounds(1, 3))
                try:
                    stormy.live()
                except AssertionError:
                    storm.explain()
                    raise
                assert_told_once(draw, smtp)
                told = story_of(draw)
                with databases.connected_to(twin):
                    live_in_peace(draw, stormy)
                    assert differences(told, story_of(draw)) == {}
            print(f"{storm.blows.total()} blows: {dict(storm.blows)}; {storm.gave_up} processes gave up")
        finally:
            site.stop()
    assert services.check_draws(now=timezone.now()).differences == {}
    assert not Draw.objects.unfinished().exists()
    assert_ledger_balances()
    call_command("check_ledger", stdout=io.StringIO())
    call_command("seal_audit", stdout=io.StringIO())
    call_command("verify_audit", stdout=io.StringIO())
    assert storm.blows.total() >= soak_rounds(3, 200)


@pytest.fixture
def smtp():
    """The site's mail server."""
    with FakeSMTP() as server:
        yield server


def announced(members: list[User]) -> Draw:
    """A draw of everything there is to win, some days ahead."""
    draft = make_draft(prizes=PRIZES, closes_in=48 * HOUR)
    draft.prizes.filter(title="On claim").update(pays="on_claim")
    fund(draft)
    draw = services.publish_draw(draw=draft, by=admin(), now=draft.opens_at)
    add_entrants(draw, GUESTS)
    for member in members:
        add_entry(draw, member.email, member=member)
    return draw


class Life:
    """One draw in the storm, from the close of its entries to the next in line."""

    def __init__(self, draw: Draw, storm: Storm, strikes: int) -> None:
        self.draw = draw
        self.storm = storm
        self.strikes = strikes  # at statements, in each part of its life
        self.times: dict[str, Any] = {}
        self.executed_at = self.claimed_at = self.expired_at = timezone.now()

    def live(self) -> None:
        """Go through it all."""
        now = timezone.now().replace(microsecond=0)
        self.times = {"opens_at": now - 3 * HOUR, "closes_at": now, "draw_at": now, "min_wait_s": 1}
        Draw.objects.filter(pk=self.draw.pk).update(**self.times)
        self._through(AT_FREEZE, self._is_frozen)
        self._through(AT_EXECUTION, self._is_drawn)
        self._through(AT_TELLING, self._is_told)
        self.executed_at = self.draw.executed_at
        self.claimed_at = timezone.now()
        self._claim_and_be_killed()
        self.expired_at = timezone.now()
        end_claims(self.draw, self.expired_at)
        self._through(AT_EXPIRY, self._is_passed_on)
        self._through(AT_TELLING, self._is_told)

    def _through(self, statements: list[tuple[str, str, str]], is_done: Callable[[], bool]) -> None:
        """Strike while somebody stands at one of these statements, then at any moment, and see it done."""
        storm, choose = self.storm, self.storm.chance
        for _ in range(self.strikes):
            if is_done():
                break
            with gate(storm.database) as shut:
                shut.shut(*choose.choice(statements))
                wait_until(
                    lambda shut=shut: self._has_come(shut, is_done), "somebody at the gate", PATIENCE_S
                )
                if shut.waiting():
                    storm.strike()
                shut.open()
        time.sleep(choose.uniform(0, 1))
        if not is_done():
            storm.strike()
        wait_until(lambda: self._calms_down(is_done), f"the end of {is_done.__name__}", PATIENCE_S)

    def _is_frozen(self) -> bool:
        self.draw.refresh_from_db()
        return self.draw.manifest is not None

    def _is_drawn(self) -> bool:
        let_waits_end()
        self.draw.refresh_from_db()
        return self.draw.executed_at is not None

    def _is_told(self) -> bool:
        """All is expanded, and nothing waits to be sent."""
        let_waits_end()
        due = Message.objects.filter(about=self.draw.about, not_before__lte=timezone.now(), cancelled_at=None)
        if due.filter(expanded_at=None).exists():
            return False
        mails = Delivery.objects.filter(message__about=self.draw.about)
        return not mails.filter(state__in=(State.PLANNED, State.CLAIMED, State.RETRY)).exists()

    def _has_come(self, shut: Gate, is_done: Callable[[], bool]) -> bool:
        """Whether somebody stands at the gate, or nobody will: writing itself, this process would stand there too."""
        self.storm.supervise()
        return bool(shut.waiting()) or is_done() or self._claims_of_the_dead().exists()

    def _calms_down(self, is_done: Callable[[], bool]) -> bool:
        self.storm.supervise()
        if is_done():
            return True
        if self._claims_of_the_dead().exists():
            self.storm.rest()
        return False

    def _claims_of_the_dead(self) -> QuerySet[Delivery]:
        """Mails that were claimed some time ago, by a worker that is no more; they wait for their lease to end."""
        now = timezone.now()
        ends = (now, now + LEASE - dt.timedelta(seconds=5))
        return Delivery.objects.filter(state=State.CLAIMED, lease_until__range=ends)

    def _is_passed_on(self) -> bool:
        return not Award.objects.due_to_expire(timezone.now()).filter(about=self.draw.about).exists()

    def _claim_and_be_killed(self) -> None:
        with gate(self.storm.database) as shut:
            shut.shut(*self.storm.chance.choice(AT_CLAIM))
            process = start(lambda: claim_some(self.draw, self.claimed_at))
            backend = shut.wait_for_one()
            kill(process)
            self.storm.blows["kill_claim"] += 1
            shut.open(gone=backend)
        claim_some(self.draw, self.claimed_at)


def live_in_peace(draw: Draw, stormy: Life) -> None:
    """The same life at the same times, with nothing happening."""
    Draw.objects.filter(pk=draw.pk).update(**stormy.times)
    assert services.freeze_draw(draw_id=draw.pk, now=stormy.draw.frozen_at) is not None
    assert services.execute_draw(draw_id=draw.pk, now=stormy.executed_at) is not None
    expand_due_messages(now=stormy.executed_at)
    claim_some(draw, stormy.claimed_at)
    end_claims(draw, stormy.expired_at)
    services.expire_awards(now=stormy.expired_at)
    expand_due_messages(now=stormy.expired_at)


def claim_some(draw: Draw, now: dt.datetime) -> None:
    """Of those who can, every other claims."""
    waiting = Award.objects.filter(about=draw.about).exclude(state=Award.State.EXPIRED).order_by("key")
    mine = [award for award in waiting if award.claim_until and (award.member_id or not award.unit)]
    for award in mine[::2]:
        services.claim_award(award=award, member=award.member, now=now)


def end_claims(draw: Draw, now: dt.datetime) -> None:
    """As if two weeks had passed."""
    Award.objects.filter(about=draw.about, state=Award.State.CLAIMABLE).update(
        claim_until=now - dt.timedelta(seconds=1)
    )


def story_of(draw: Draw) -> dict[str, Any]:
    """All that is to be the same in both lives: who won what, who was paid, who was told what. And it must hold."""
    draw = Draw.objects.get(pk=draw.pk)
    proof = assert_proof_holds(draw)
    assert services.check_draws(now=timezone.now(), draws=[draw]).differences == {}
    assert DrawReport.objects.filter(draw=draw).count() == 1
    awards = Award.objects.filter(about=draw.about)
    entries = LedgerEntry.objects.filter(about=draw.about)
    for award in awards.filter(state=Award.State.PAID):
        assert entries.filter(
            idem_key__startswith=award.key, kind__in=("prize.paid", "prize.claimed")
        ).count()
    wallets = Posting.objects.filter(entry__about=draw.about, account__code__startswith="member:")
    paid = awards.filter(state=Award.State.PAID)
    assert dict(wallets.values_list("account__code").annotate(Sum("amount"))) == {
        f"member:{row['member_id']}:{row['unit']}": row["amount__sum"]
        for row in paid.values("member_id", "unit").annotate(Sum("amount"))
    }
    messages = Message.objects.filter(about=draw.about).exclude(kind__in=OF_FAILURES)
    return {
        "proof": {name: proof[name] for name in ("manifest", "revealed", "seed", "ranks", "slots")},
        "afterwards": list(draw.dispositions.values_list("rank", "state", "reason")),
        "holders": holders(draw),
        "awards": list(
            awards.order_by("key").values_list("key", "state", "ended_as", "member", "unit", "amount")
        ),
        "vouchers": sorted(
            Voucher.objects.filter(award__about=draw.about).values_list("award__key", flat=True)
        ),
        "ledger": sorted(entries.values_list("idem_key", "kind")),
        "pools": [pool_of(draw, unit) for unit in ("KES", "CREDIT")],
        "messages": sorted(messages.values_list("idem_key", "kind")),
        "told": sorted(
            Delivery.objects.filter(message__in=messages).values_list(
                "message__idem_key", "recipient_key", "channel"
            )
        ),
    }


def differences(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What two stories tell differently: of lists only what stands in one of them."""
    found = {}
    for name, value in one.items():
        if value == other[name]:
            continue
        if isinstance(value, list):
            found[name] = list((Counter(value) - Counter(other[name])).elements())
            found[f"{name} of the twin"] = list((Counter(other[name]) - Counter(value)).elements())
        else:
            found[name] = (value, other[name])
    return found


def assert_told_once(draw: Draw, smtp: FakeSMTP) -> None:
    """Each mail went out once; twice, with the same Message-ID, only where an answer had been lost."""
    mails = {
        f"<{mail.handle.hex}@": mail
        for mail in Delivery.objects.filter(message__about=draw.about, channel="email")
    }
    taken = [mail.message_id.partition("@")[0] + "@" for mail in list(smtp.taken)]
    times = {handle: taken.count(handle) for handle in mails}
    assert {mails[handle].state for handle in mails} <= {State.HANDED, State.UNKNOWN, State.CANCELLED}
    for handle, mail in mails.items():
        if mail.state == State.HANDED:
            assert 1 <= times[handle] <= 1 + mail.lost_answers
        elif mail.state == State.UNKNOWN:
            assert mail.lost_answers >= 1
            assert times[handle] <= mail.lost_answers
        else:
            assert times[handle] == 0
