"""Nobody drops a draw alone once its number may be known; two may, in public, and with what it would have drawn."""

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import DatabaseError, transaction
from django.urls import reverse
from django.utils import timezone

from accounts import roles
from audit.models import Record
from draws import services
from draws.models import CalledOff, Draw
from draws.services import calling_off
from draws.verifier import verify_draw
from notifications.models import Delivery, Message
from notifications.services.expansion import expand_due_messages
from payments import approvals
from payments.checking import check_ledger
from payments.models import Approval
from tests.draws.admin_pages import act_url, page_of, staff
from tests.draws.factories import CASH, VOUCHER, make_draw, make_executed, make_frozen, pool_of, stored_text
from tests.draws.promises import DRAND, DRAW_AT, LOTTERY, NUMBERS, frozen_of_2023
from tests.factories import admin, alice, bob, treasurer
from tests.fakes.drand import FakeRelay, Trick

WHY = "The sponsor was not entitled to give the prize away."


@pytest.fixture
def relay(settings):
    with FakeRelay() as fake:
        settings.DRAND_RELAYS = [fake.url]
        yield fake


def ask(draw, *, by=None, now=None, reason=WHY):
    return services.call_off_draw(draw=draw, by=by or admin(), reason=reason, now=now or draw.draw_at)


def agree(draw, outcome, *, by=None, now=None):
    approvals.approve(approval=outcome.approval, by=by or treasurer(), now=now or draw.draw_at)
    draw.refresh_from_db()


def called_off(draw) -> Draw:
    agree(draw, ask(draw))
    return draw


def cancel(draw, now):
    return services.cancel_draw(draw=draw, by=admin(), reason=WHY, now=now)


@pytest.mark.django_db
class TestAlone:
    def test_a_draw_whose_text_may_have_been_announced_is_not_cancelled(self):
        draw = frozen_of_2023([LOTTERY])
        for now in (draw.frozen_at, draw.draw_at, draw.draw_at + dt.timedelta(days=3)):
            with pytest.raises(services.PublishError, match="together with a second person"):
                cancel(draw, now)
        draw.refresh_from_db()
        assert draw.status == Draw.Status.ACTIVE
        assert pool_of(draw) == (0, 120_000, 0)

    def test_a_number_that_the_site_committed_to_counts_as_known_from_the_freeze_on(self):
        draw = make_frozen()
        with pytest.raises(services.PublishError, match="may be known"):
            cancel(draw, draw.frozen_at)

    def test_until_its_round_is_out_a_draw_by_drand_can_be_cancelled(self, relay):
        draw = frozen_of_2023([{"type": "commit"}, *DRAND])
        assert cancel(draw, DRAW_AT - dt.timedelta(seconds=1)).status == Draw.Status.CANCELLED

    def test_from_its_round_on_it_can_t_also_while_no_relay_answers(self, relay):
        draw = frozen_of_2023([*DRAND, LOTTERY])
        with pytest.raises(services.PublishError, match="may be known"):
            cancel(draw, DRAW_AT + dt.timedelta(seconds=3))

    def test_before_the_freeze_nothing_has_changed(self):
        assert cancel(make_draw(entrants=3), timezone.now()).status == Draw.Status.CANCELLED

    def test_what_one_person_may_cancel_needs_no_second(self):
        with pytest.raises(services.PublishError, match="takes one person"):
            ask(make_draw(entrants=3), now=timezone.now())

    def test_what_is_drawn_is_not_called_off(self):
        with pytest.raises(services.PublishError, match="is over"):
            ask(make_executed())


@pytest.mark.django_db
class TestTwoTogether:
    def test_it_waits_and_the_draw_goes_on(self):
        draw = make_frozen()
        outcome = ask(draw)
        assert outcome.waits
        assert not CalledOff.objects.exists()
        services.execute_draw(draw_id=draw.pk, now=draw.draw_at)
        with pytest.raises(approvals.CantBeDoneError, match="is over"):
            agree(draw, outcome)
        draw.refresh_from_db()
        assert draw.status == Draw.Status.COMPLETED

    def test_a_second_person_agrees_and_it_is_off_and_its_pool_goes_back(self):
        draw = make_frozen()
        outcome = ask(draw)
        agree(draw, outcome)
        assert draw.status == Draw.Status.CANCELLED
        assert pool_of(draw) == (0, 0, 0)
        row = draw.called_off
        assert (row.reason, row.asked_by, row.agreed_by) == (WHY, admin(), treasurer())
        done = Approval.objects.get(pk=outcome.approval.pk)
        assert (done.state, done.result, done.amounts) == ("done", None, {})
        assert Record.objects.get(action="draw.called_off").data["reason"] == WHY
        assert check_ledger() == []

    def test_it_works_without_any_money_in_the_pool(self):
        draw = make_frozen(prizes=[VOUCHER])
        assert called_off(draw).status == Draw.Status.CANCELLED

    def test_nobody_agrees_with_themselves_nor_a_manager_alone(self):
        outcome = ask(make_frozen())
        with pytest.raises(approvals.OwnRequestError):
            approvals.approve(approval=outcome.approval, by=admin(), now=timezone.now())
        with pytest.raises(approvals.NotEntitledError):
            approvals.approve(approval=outcome.approval, by=staff(roles.MANAGER_ADMIN), now=timezone.now())

    def test_asked_twice_it_says_who_asked_and_after_a_refusal_it_can_be_asked_anew(self):
        draw = make_frozen()
        outcome = ask(draw)
        with pytest.raises(services.PublishError, match="asked for this already"):
            ask(draw)
        approvals.reject(approval=outcome.approval, by=treasurer(), note="Hold it", now=draw.draw_at)
        assert called_off(draw).status == Draw.Status.CANCELLED

    @pytest.mark.parametrize("reason", ["  ", "x" * 501])
    def test_it_needs_a_reason_that_can_be_published(self, reason):
        with pytest.raises(services.PublishError, match=r"reason|why"):
            ask(make_frozen(), reason=reason)

    def test_everybody_in_it_is_told_by_mail_where_to_look(self):
        draw = called_off(make_frozen(entrants=2, members=[alice()]))
        expand_due_messages(now=draw.draw_at)
        message = Message.objects.get(kind="draws.draw_called_off")
        mails = Delivery.objects.filter(message=message, channel="email")
        assert mails.count() == 3
        assert not Message.objects.filter(kind="draws.draw_cancelled").exists()


@pytest.mark.django_db
class TestWhatItWouldHaveDrawn:
    def test_it_is_what_the_execution_would_have_written(self):
        draw = make_frozen(entrants=0, members=[alice(), bob()], prizes=[CASH])
        sid = transaction.savepoint()
        services.execute_draw(draw_id=draw.pk, now=draw.draw_at)
        truth = Draw.objects.get(pk=draw.pk).report.proof
        transaction.savepoint_rollback(sid)
        called_off(draw)
        assert services.published_proof(draw) is None
        assert services.draw_up_called_off(now=draw.draw_at) == 1
        proof = services.published_proof(draw)
        for key in ("manifest", "revealed", "seed", "ranks", "slots"):
            assert proof[key] == truth[key]
        trail = Record.objects.get(action="draw.called_off_drawn_up").data
        assert trail["report_sha256"] == proof["report_sha256"]
        assert trail["would_have_won"] == [slot["pid"] for slot in proof["slots"]]
        assert services.draw_up_called_off(now=draw.draw_at) == 0

    def test_the_stand_alone_verifier_finds_that_it_holds(self, tmp_path, client):
        draw = called_off(make_frozen(entrants=20))
        call_command("draw_up_called_off")
        published = client.get(reverse("draws:proof", args=[draw.slug]))
        (tmp_path / "proof.json").write_bytes(published.content)
        (tmp_path / "entries.csv").write_text(stored_text(draw))
        run = subprocess.run(
            [sys.executable, str(Path(verify_draw.__file__)), "proof.json", "entries.csv"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        api = client.get(f"/api/draws/{draw.slug}/proof/")
        assert json.loads(api.content) == json.loads(published.content)

    def test_the_page_shows_reason_and_who_would_have_won(self, client):
        draw = called_off(make_frozen(entrants=5))
        verify = reverse("draws:verify", args=[draw.slug])
        assert "It is being drawn up" in client.get(verify).content.decode()
        assert client.get(reverse("draws:proof", args=[draw.slug])).status_code == 404
        services.draw_up_called_off(now=draw.draw_at)
        html = client.get(verify).content.decode()
        assert WHY in html
        assert "Who would have won" in html
        for slot in services.published_proof(draw)["slots"]:
            assert slot["pid"][:12] in html
        assert admin().email not in html
        assert reverse("draws:results", args=[draw.slug]) not in html  # nobody has won
        assert f'href="{verify}"' in client.get(draw.get_absolute_url()).content.decode()

    def test_a_draw_that_one_person_cancelled_has_no_such_page(self, client):
        draw = make_draw(entrants=3)
        cancel(draw, timezone.now())
        assert client.get(reverse("draws:verify", args=[draw.slug])).url == draw.get_absolute_url()

    def test_a_round_is_fetched_afterwards_when_the_relays_are_back(self, client, relay):
        draw = frozen_of_2023(DRAND)
        called_off(draw)
        relay.trick = Trick.ERROR
        assert services.draw_up_called_off(now=DRAW_AT) == 0
        assert "can't be had" in CalledOff.objects.get().waits_for
        html = client.get(reverse("draws:verify", args=[draw.slug])).content.decode()
        assert "Round 1000 of drand" in html
        relay.trick = None
        assert services.draw_up_called_off(now=DRAW_AT + dt.timedelta(minutes=1)) == 0
        assert services.draw_up_called_off(now=DRAW_AT + dt.timedelta(minutes=6)) == 1

    def test_a_text_is_entered_and_confirmed_afterwards(self, client):
        draw = frozen_of_2023([LOTTERY])
        called_off(draw)
        assert services.draw_up_called_off(now=DRAW_AT) == 0
        html = client.get(reverse("draws:verify", args=[draw.slug])).content.decode()
        assert LOTTERY["label"] in html
        entered = services.enter_text(draw=draw, position=0, text=NUMBERS, by=admin(), now=DRAW_AT)
        services.confirm_text(entered=entered, text=NUMBERS, by=treasurer(), now=DRAW_AT)
        assert services.draw_up_called_off(now=DRAW_AT) == 1
        with pytest.raises(services.RandomnessError):
            services.enter_text(draw=draw, position=0, text=NUMBERS, by=admin(), now=DRAW_AT)

    def test_a_secret_that_can_t_be_opened_is_an_honest_reason_and_is_said(self, client):
        draw = make_frozen()
        Draw.objects.filter(pk=draw.pk).update(secret_encrypted="broken")
        called_off(draw)
        assert services.draw_up_called_off(now=draw.draw_at) == 0
        assert CalledOff.objects.get().waits_for
        html = client.get(reverse("draws:verify", args=[draw.slug])).content.decode()
        assert "can’t open what it committed to" in html

    def test_what_was_published_of_it_never_changes(self):
        draw = called_off(make_frozen())
        rows = CalledOff.objects.filter(draw=draw)
        with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
            rows.update(reason="Another")
        services.draw_up_called_off(now=draw.draw_at)
        with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
            rows.update(proof={})
        with pytest.raises(DatabaseError, match="never deleted"), transaction.atomic():
            rows._raw_delete(rows.db)


@pytest.mark.django_db
class TestInTheAdmin:
    def offered(self, client, draw) -> set[str]:
        html = client.get(page_of(draw)).content.decode()
        acts = {"cancel": "cancel", "call_off": "call_off", "draw_up": "draw_up"}
        return {name for name, act in acts.items() if f'href="{act_url(draw, act)}"' in html}

    @pytest.mark.parametrize(
        ("role", "may"),
        [(roles.SUPER_ADMIN, {"call_off"}), (roles.MANAGER_ADMIN, set()), (roles.FINANCE, set())],
    )
    def test_after_the_freeze_only_a_super_admin_asks(self, client, role, may):
        draw = make_frozen()
        client.force_login(staff(role))
        assert self.offered(client, draw) == may
        if not may:
            assert client.post(act_url(draw, "call_off"), {"reason": WHY}).status_code == 404

    def test_from_asking_to_the_page_for_everybody(self, client):
        draw = make_frozen()
        client.force_login(admin())
        answer = client.post(act_url(draw, "call_off"), {"reason": WHY}, follow=True)
        assert "waits for a second person" in answer.content.decode()
        approval = Approval.objects.get(kind=calling_off.CALL_OFF_DRAW)
        client.force_login(treasurer())
        page = reverse("admin:payments_approval_change", args=[approval.pk])
        html = client.get(page).content.decode()
        assert "takes two people all the same" in html
        assert "known: <" not in html
        client.post(reverse("admin:payments_approval_approve", args=[approval.pk]), {"note": ""})
        client.force_login(admin())
        assert self.offered(client, draw) == {"draw_up"}
        done = client.post(act_url(draw, "draw_up"), follow=True).content.decode()
        assert "It is published what this draw would have drawn" in done
        assert services.published_proof(Draw.objects.get(pk=draw.pk)) is not None


@pytest.mark.usefixtures("cloned_db")
def test_agreeing_while_the_draw_is_executed_ends_one_way(parallel):
    for _turn in range(4):
        draw = make_frozen(entrants=5)
        outcome, second = ask(draw), treasurer()

        def work(index, draw=draw, outcome=outcome, second=second):
            if index:
                return services.execute_draw(draw_id=draw.pk, now=draw.draw_at)
            return approvals.approve(approval=outcome.approval, by=second, now=draw.draw_at)

        outcomes = parallel(work, 2)
        # Where the other held the draw's row the execution went home, and the job comes again.
        services.execute_due_draws(now=draw.draw_at)
        draw.refresh_from_db()
        is_off = CalledOff.objects.filter(draw=draw).exists()
        assert draw.status == (Draw.Status.CANCELLED if is_off else Draw.Status.COMPLETED)
        assert all(
            isinstance(error, (approvals.CantBeDoneError, services.ExecutionError))
            for error in outcomes.errors
        )
        if is_off:
            assert pool_of(draw) == (0, 0, 0)
    assert check_ledger() == []


@pytest.mark.usefixtures("cloned_db")
def test_many_who_draw_it_up_at_once_publish_one_proof(parallel):
    draw = called_off(make_frozen(entrants=5))
    outcomes = parallel(lambda: services.draw_up_called_off(now=draw.draw_at), 6)
    assert outcomes.errors == []
    assert sum(outcomes.results) == 1
    assert Record.objects.filter(action="draw.called_off_drawn_up").count() == 1
