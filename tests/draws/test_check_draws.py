"""The daily check: each way in which what is stored may come apart, and that payouts then stop."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from audit.models import Record
from draws import services
from draws.models import Award, Draw, Winner
from draws.tasks import check
from notifications.models import Delivery, Message
from notifications.services import expand_due_messages
from payments import pools
from tests.draws.factories import (
    CASH,
    CREDITS,
    HOUR,
    SMALL,
    VOUCHER,
    balance,
    make_draw,
    make_executed,
    make_frozen,
)
from tests.draws.factories import pool_of as pool
from tests.factories import admin, alice, bob, make_user

pytestmark = pytest.mark.django_db
PRIZES = [CASH, SMALL, CREDITS, VOUCHER]


def forge(sql, *values):
    """What only somebody with the database's own rights can do: the triggers are asleep meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in ("draws_winner", "draws_award", "draws_drawreport", "draws_entry", "draws_draw"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(sql, values)
        for table in ("draws_winner", "draws_award", "draws_drawreport", "draws_entry", "draws_draw"):
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def differences(draw):
    return services.check_draws(now=timezone.now()).differences.get(draw.slug, [])


def test_draws_that_were_made_hold():
    make_executed(entrants=10, members=[alice(), bob()], prizes=PRIZES)
    make_executed(entrants=1, prizes=[("Many", "cash", 100, 5)])
    make_frozen()
    make_draw()
    assert services.check_draws(now=timezone.now()) == services.CheckSummary(2, {})
    assert not Draw.objects.exclude(payouts_stopped_at=None).exists()


def test_a_claimed_prize_holds_too():
    draw = make_executed(entrants=0, prizes=[CASH], members=[])
    assert draw.status == Draw.Status.VOID
    draw = make_executed(entrants=1, prizes=[CASH])
    winner = make_user(email="guest0@example.org")
    [award] = Award.objects.filter(about=draw.about)
    services.claim_award(award=award, member=winner, now=draw.draw_at)
    assert differences(draw) == []
    assert balance(f"member:{winner.pk}:KES") == 100_000


FORGERIES = {
    "another winner": (
        "UPDATE draws_winner winner SET entry_id = (SELECT min(id) FROM draws_entry entry "
        "WHERE entry.draw_id = winner.draw_id AND NOT EXISTS "
        "(SELECT 1 FROM draws_winner other WHERE other.entry_id = entry.id)) WHERE slot = 0 AND draw_id = %s",
        "The winner of slot 0 is not the one in the report.",
    ),
    "a larger award": (
        "UPDATE draws_award SET amount = amount + 1 WHERE about LIKE %s AND kind = 'cash'",
        "is not worth its prize",
    ),
    "an award of another kind": (
        "UPDATE draws_award SET kind = 'cash', unit = 'KES', amount = 5 WHERE about LIKE %s AND kind = 'voucher'",
        "Nothing was posted for the award",
    ),
    "an award without a winner": (
        "INSERT INTO draws_award SELECT (jsonb_populate_record(award, jsonb_build_object('id', award.id + 1000000, "
        "'public_id', gen_random_uuid(), 'key', 'forged', 'payout_id', NULL))).* "
        "FROM draws_award award WHERE about LIKE %s LIMIT 1",
        "Award forged belongs to no winner.",
    ),
    "more tickets": (
        "UPDATE draws_entry SET weight = weight + 1 WHERE draw_id = %s",
        "not those of the manifest",
    ),
    "another report": (
        "UPDATE draws_drawreport SET proof = jsonb_set(proof, '{seed}', '\"00\"') WHERE draw_id = %s",
        "does not have its own hash",
    ),
    "a sum that is not awarded": (
        "UPDATE draws_drawreport SET awarded = '{\"KES\": 1}' WHERE draw_id = %s",
        "The report says",
    ),
    "a report that is none": (
        "UPDATE draws_drawreport SET proof = '{}' WHERE draw_id = %s",
        "It can't be computed anew",
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forgery_is_found_and_stops_what_is_unpaid(forgery):
    draw = make_executed(entrants=10, prizes=PRIZES)
    sound = make_executed(entrants=3, prizes=[CASH])
    sql, says = FORGERIES[forgery]
    forge(sql, f"%{draw.public_id}" if "LIKE" in sql else draw.pk)
    summary = services.check_draws(now=timezone.now())
    assert list(summary.differences) == [draw.slug]
    assert any(says in text for text in summary.differences[draw.slug]), summary.differences
    draw.refresh_from_db()
    assert draw.payouts_stopped_at is not None
    assert says in draw.payouts_stopped_why
    sound.refresh_from_db()
    assert sound.payouts_stopped_at is None


def test_money_paid_for_no_award_is_found():
    draw = make_executed(entrants=3, prizes=[CASH], extra=500)
    pools.reserve_prizes(
        pool=draw.pool, unit="KES", amount=500, idem_key="aside", by=None, now=timezone.now()
    )
    payment = pools.PrizePayment(
        idem_key="a gift", unit="KES", amount=500, member_id=alice().pk, about=draw.about
    )
    pools.pay_prizes(pool=draw.pool, payments=[payment], now=timezone.now())
    assert differences(draw) == ["The ledger paid a gift (prize.paid) for no award."]


class TestStopping:
    @pytest.fixture
    def stopped(self):
        """A draw whose report was forged, and the person whose prize waits."""
        draw = make_executed(entrants=1, prizes=[CASH])
        forge("UPDATE draws_drawreport SET awarded = '{}' WHERE draw_id = %s", draw.pk)
        services.check_draws(now=timezone.now())
        return draw

    def test_an_unpaid_prize_is_kept_and_its_winner_told(self, stopped, client):
        winner = make_user(email="guest0@example.org")
        award = Award.objects.get(about=stopped.about)
        with pytest.raises(services.PayoutsStoppedError, match="Your prize is kept"):
            services.claim_award(award=award, member=winner, now=stopped.draw_at)
        assert balance(f"member:{winner.pk}:KES") == 0
        assert pool(stopped) == (0, 0, 100_000)
        client.force_login(winner)
        page = client.post(f"/prizes/{award.public_id}/", follow=True)
        assert "Your prize is kept" in page.content.decode()

    def test_the_database_pays_nothing_either(self, stopped):
        with pytest.raises(IntegrityError, match="are stopped"), transaction.atomic():
            Award.objects.filter(about=stopped.about).update(
                state=Award.State.PAID,
                paid_at=timezone.now(),
                payout=services.checking.LedgerEntry.objects.get(kind="prize.owed"),
            )

    def test_admins_are_alarmed_once_for_the_same_difference(self, stopped):
        services.check_draws(now=timezone.now() + HOUR)
        check()
        told = Message.objects.get(kind="draws.check_failed")
        admin()
        expand_due_messages(now=timezone.now())
        assert set(Delivery.objects.filter(message=told).values_list("member", flat=True)) == {admin().pk}
        assert Record.objects.filter(action="draw.check_failed").count() == 1

    def test_another_difference_alarms_again(self, stopped):
        forge("UPDATE draws_award SET amount = 7 WHERE about = %s", stopped.about)
        services.check_draws(now=timezone.now() + HOUR)
        assert Message.objects.filter(kind="draws.check_failed").count() == 2

    def test_an_admin_lets_them_go_on_with_a_reason(self, stopped):
        with pytest.raises(services.CheckError, match="Say what the difference was"):
            services.resume_payouts(draw=stopped, by=admin(), reason=" ", now=timezone.now())
        services.resume_payouts(draw=stopped, by=admin(), reason="A typo of ours", now=timezone.now())
        winner = make_user(email="guest0@example.org")
        services.claim_award(award=Award.objects.get(about=stopped.about), member=winner, now=stopped.draw_at)
        assert balance(f"member:{winner.pk}:KES") == 100_000
        assert Record.objects.get(action="draw.payouts_resumed").data["reason"] == "A typo of ours"


def test_the_command_names_what_is_wrong_and_fails():
    draw, sound = make_executed(prizes=[CASH]), make_executed(prizes=[CASH])
    out = io.StringIO()
    call_command("check_draws", stdout=out)
    assert out.getvalue().strip() == "2 draws checked: all hold."
    forge("UPDATE draws_drawreport SET awarded = '{}' WHERE draw_id = %s", draw.pk)
    call_command("check_draws", sound.slug, stdout=io.StringIO())
    with pytest.raises(CommandError, match="1 of 2 draws don't hold"):
        call_command("check_draws", stdout=out)
    assert f"{draw.slug}:\n  The report says" in out.getvalue()
    with pytest.raises(CommandError, match="No completed draw has the address nowhere"):
        call_command("check_draws", "nowhere", stdout=io.StringIO())


def test_a_draw_that_is_not_made_is_not_checked():
    with pytest.raises(services.CheckError, match="Only a completed draw"):
        services.check_draw(draw=make_frozen(), now=timezone.now())
    assert not Winner.objects.exists()
