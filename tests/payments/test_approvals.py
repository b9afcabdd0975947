"""Two people for large amounts: what waits, who decides, and that it is done once and exactly."""

import datetime as dt
import io
from dataclasses import replace

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from accounts import roles
from audit.models import Record
from draws import services
from payments import approvable, approvals
from payments.checking import check_ledger
from payments.ledger import IdempotencyConflictError
from payments.models import Approval, LedgerEntry
from tests.draws.factories import make_draft
from tests.factories import make_user
from tests.payments.asking import ABOVE, LIMIT, ask, asker, farid, fatma, free, fresh, person, request
from tests.payments.books import refused_by, sql, without_trigger

pytestmark = pytest.mark.django_db

State = Approval.State
WEEK = dt.timedelta(days=7)


def now():
    return timezone.now()


def approve(approval, by=None, **fields):
    return approvals.approve(approval=approval, by=by or fatma(), now=fields.pop("now", now()), **fields)


def trail(approval) -> list[tuple[str, str]]:
    """Action and address of each step on record, in order."""
    rows = Record.objects.filter(target=approval.name).order_by("pk")
    return [(row.action, row.actor.email if row.actor else "") for row in rows]


class TestAsking:
    def test_up_to_the_limit_one_person_is_enough(self):
        draw = make_draft()
        outcome = ask(draw, amount=LIMIT)
        assert outcome.entry is not None
        assert outcome.approval is None
        assert free(draw) == LIMIT

    def test_above_the_limit_it_waits_and_nothing_moves(self):
        draw = make_draft()
        outcome = ask(draw)
        assert outcome.waits
        assert outcome.entry is None
        assert free(draw) == 0
        assert not LedgerEntry.objects.exists()
        assert outcome.approval.expires_at - outcome.approval.requested_at == WEEK

    def test_the_same_form_sent_twice_asks_once(self):
        draw = make_draft()
        first, second = (request(draw) for _ in range(2))
        assert first == second
        assert [action for action, _who in trail(first)] == ["approval.requested"]

    def test_the_same_key_for_something_else_is_refused(self):
        draw = make_draft()
        request(draw)
        for fields in ({"amount": ABOVE + 1}, {"reason": "Other"}, {"by": fatma()}):
            with pytest.raises(IdempotencyConflictError):
                ask(draw, **fields)
        # Also where it is small enough to be done at once.
        with pytest.raises(IdempotencyConflictError):
            ask(draw, amount=5)
        assert free(draw) == 0

    def test_a_key_that_the_ledger_knows_can_not_carry_a_large_amount_past_the_second_person(self):
        draw = make_draft()
        ask(draw, amount=5)
        with pytest.raises(IdempotencyConflictError):
            ask(draw, amount=ABOVE)
        assert free(draw) == 5
        assert not Approval.objects.exists()

    def test_what_makes_no_sense_is_not_even_asked_for(self):
        draw = make_draft()
        services.cancel_draw(draw=draw, by=asker(), reason="Rain", now=now())
        with pytest.raises(approvals.CantBeDoneError, match="nothing left to fund"):
            ask(draw)
        assert not Approval.objects.exists()

    def test_a_kind_can_not_understate_what_it_moves(self):
        draw = make_draft()
        act = approvals.act_of(request(draw))
        small = replace(act, amounts={"KES": 5}, idem_key="other")
        with pytest.raises(approvals.ActMismatchError):
            approvals.request_or_do(act=small, by=asker(), now=now())

    def test_an_unknown_kind_is_refused(self):
        act = replace(approvals.act_of(request()), kind="draws.burn", idem_key="other")
        with pytest.raises(approvable.UnknownKindError):
            approvals.request_or_do(act=act, by=asker(), now=now())


class TestApproving:
    def test_a_second_person_agrees_and_just_that_is_done(self):
        draw = make_draft()
        approval = request(draw)
        done = approve(approval, note="Seen the budget")
        assert done.state == State.DONE
        assert (done.decided_by, done.note) == (fatma(), "Seen the budget")
        assert free(draw) == ABOVE
        assert (done.result.idem_key, done.result.actor, done.result.reason) == (
            "fund:1",
            asker(),
            "Prize money",
        )
        assert check_ledger() == []

    def test_each_step_is_on_record_with_the_digest(self):
        approval = request()
        approve(approval)
        assert trail(approval) == [
            ("approval.requested", asker().email),
            ("approval.done", fatma().email),
        ]
        digests = set(Record.objects.filter(target=approval.name).values_list("data__digest", flat=True))
        assert digests == {bytes(approval.digest).hex()}
        assert Record.objects.filter(action="pool.funded").count() == 1

    def test_approving_twice_does_it_once(self):
        draw = make_draft()
        approval = request(draw)
        assert approve(approval) == approve(approval)
        with pytest.raises(approvals.AlreadyDecidedError, match="Fatma has decided about this already: done"):
            approve(approval, farid())
        assert free(draw) == ABOVE
        assert LedgerEntry.objects.count() == 1

    def test_asking_again_after_it_is_done_gives_the_same_entry(self):
        draw = make_draft()
        done = approve(request(draw))
        again = ask(draw)
        assert (again.entry, again.approval, again.waits) == (done.result, done, False)
        assert free(draw) == ABOVE

    def test_nobody_approves_what_they_asked_for(self):
        approval = request(by=fatma())
        with pytest.raises(approvals.OwnRequestError, match="somebody else decides"):
            approve(approval, fatma())
        with pytest.raises(approvals.OwnRequestError):
            approvals.reject(approval=approval, by=fatma(), note="No", now=now())
        assert fresh(approval).state == State.REQUESTED

    @pytest.mark.parametrize("role", [roles.MANAGER_ADMIN, roles.SUPPORT_LEAD, ""])
    def test_it_takes_the_right_to_approve(self, role):
        approval = request()
        with pytest.raises(approvals.NotEntitledError):
            approve(approval, person("somebody", role))
        assert fresh(approval).state == State.REQUESTED

    def test_it_takes_the_right_to_the_act_itself_too(self):
        approval = request()
        half = make_user(is_staff=True)
        half.user_permissions.add(permission("approve_money"))
        with pytest.raises(approvals.NotEntitledError):
            approve(approval, half)
        half.user_permissions.add(permission("fund_draw"))
        half = type(half).objects.get(pk=half.pk)  # it remembers its permissions
        assert approve(approval, half).state == State.DONE

    def test_somebody_who_has_left_approves_nothing(self):
        approval, gone = request(), farid()
        gone.is_active = False
        gone.save()
        with pytest.raises(approvals.NotEntitledError):
            approve(approval, gone)

    def test_a_draw_that_was_cancelled_meanwhile_takes_no_money(self):
        draw = make_draft()
        approval = request(draw)
        services.cancel_draw(draw=draw, by=asker(), reason="Rain", now=now())
        with pytest.raises(approvals.CantBeDoneError, match="nothing left to fund"):
            approve(approval)
        waits = fresh(approval)
        assert (waits.state, waits.decided_by, waits.result) == (State.REQUESTED, None, None)
        assert trail(approval)[-1] == ("approval.failed", fatma().email)
        assert free(draw) == 0
        approvals.reject(approval=approval, by=fatma(), note="It was cancelled", now=now())
        assert fresh(approval).state == State.REJECTED

    def test_a_pool_that_was_emptied_meanwhile_gives_nothing(self):
        draw = make_draft()
        approve(request(draw))
        outcome = give_back(draw, ABOVE)
        assert outcome.waits
        give_back(draw, 1, idem_key="return:small")
        with pytest.raises(
            approvals.CantBeDoneError, match=r"holds KES 100,000\.00, and KES 100,000\.01 are"
        ):
            approve(outcome.approval)
        assert fresh(outcome.approval).state == State.REQUESTED
        assert free(draw) == LIMIT
        assert check_ledger() == []

    def test_money_goes_back_when_a_second_person_agrees(self):
        draw = make_draft()
        approve(request(draw))
        approve(give_back(draw, ABOVE).approval)
        assert free(draw) == 0
        assert check_ledger() == []

    def test_a_kind_that_does_something_else_than_it_said_is_undone(self, monkeypatch):
        draw = make_draft()
        approval = request(draw)
        honest = approvable.approvable("draws.fund_pool")

        def twice(act, signatures, at):
            more = {**act.params, "amount": act.params["amount"] * 2}
            return honest.do(replace(act, params=more), signatures, at)

        monkeypatch.setitem(approvable._kinds, honest.name, replace(honest, do=twice))
        with pytest.raises(approvals.ActMismatchError):
            approve(approval)
        assert free(draw) == 0
        assert fresh(approval).state == State.REQUESTED


class TestEnding:
    def test_what_was_rejected_is_never_done(self):
        draw = make_draft()
        approval = request(draw)
        rejected = approvals.reject(approval=approval, by=fatma(), note="Too much", now=now())
        assert (rejected.state, rejected.note) == (State.REJECTED, "Too much")
        for by in (fatma(), farid()):
            with pytest.raises(approvals.AlreadyDecidedError, match="rejected"):
                approve(approval, by)
        assert free(draw) == 0
        assert not ask(draw).waits  # the same form does not bring it back
        assert trail(approval)[-1] == ("approval.rejected", fatma().email)

    def test_a_rejection_says_why(self):
        with pytest.raises(approvals.ApprovalError, match="Say why"):
            approvals.reject(approval=request(), by=fatma(), note="  ", now=now())

    def test_who_asked_takes_it_back_and_nobody_else(self):
        draw = make_draft()
        approval = request(draw)
        with pytest.raises(approvals.NotEntitledError):
            approvals.withdraw(approval=approval, by=fatma(), now=now())
        withdrawn = approvals.withdraw(approval=approval, by=asker(), now=now())
        assert (withdrawn.state, withdrawn.decided_by) == (State.WITHDRAWN, None)
        with pytest.raises(approvals.AlreadyDecidedError, match="withdrawn"):
            approve(approval)
        assert free(draw) == 0
        assert trail(approval)[-1] == ("approval.withdrawn", asker().email)

    def test_what_is_done_can_not_be_taken_back(self):
        approval = request()
        approve(approval)
        with pytest.raises(approvals.AlreadyDecidedError):
            approvals.withdraw(approval=approval, by=asker(), now=now())

    def test_after_its_time_it_is_not_done_even_before_the_job_came_by(self):
        draw = make_draft()
        approval = request(draw)
        with pytest.raises(approvals.AlreadyDecidedError, match="waited too long"):
            approve(approval, now=now() + WEEK)
        assert free(draw) == 0

    def test_the_job_closes_what_waited_too_long_and_only_that(self):
        old = request(now=now() - WEEK - dt.timedelta(minutes=1))
        young = request(idem_key="fund:2")
        call_command("expire_approvals", stdout=io.StringIO())
        assert (fresh(old).state, fresh(young).state) == (State.EXPIRED, State.REQUESTED)
        assert trail(old)[-1] == ("approval.expired", "")
        with pytest.raises(approvals.AlreadyDecidedError, match="expired"):
            approve(old)
        assert approvals.expire_approvals(now=now()) == []

    def test_the_days_are_a_setting(self, settings):
        settings.APPROVAL_DAYS = 2
        approval = request()
        assert approval.expires_at - approval.requested_at == dt.timedelta(days=2)


class TestWaiting:
    def test_it_waits_for_those_who_may_decide_and_did_not_ask(self):
        approval = request(by=fatma())
        assert list(approvals.waiting_for(farid(), now=now())) == [approval]
        for other in (fatma(), asker(), person("lead", roles.SUPPORT_LEAD)):
            assert not approvals.waiting_for(other, now=now()).exists()
        assert not approvals.waiting_for(farid(), now=now() + WEEK).exists()

    def test_deciders_are_named(self):
        farid()
        gone = person("gone")
        gone.is_active = False
        gone.save()
        boss = make_user(is_staff=True, is_superuser=True)
        assert set(approvals.deciders_of(request(by=fatma()))) == {farid(), boss}

    def test_amounts_that_wait_are_summed_by_unit(self):
        draw = make_draft()
        request(draw)
        request(draw, idem_key="fund:2")
        request(draw, unit="CREDIT", amount=10_001, idem_key="fund:3")
        request(idem_key="elsewhere")
        assert services.waiting_funds(draw) == {"KES": 2 * ABOVE, "CREDIT": 10_001}


class TestGuards:
    """PostgreSQL itself holds it, whoever writes."""

    def update(self, approval, what: str, *values) -> None:
        sql(f"UPDATE payments_approval SET {what} WHERE id = %s", [*values, approval.pk])

    def test_the_same_person_can_not_be_both(self):
        approval = request(by=fatma())
        with refused_by("payments_approval_two_people"):
            self.update(approval, "state = 'approved', decided_by_id = %s, decided_at = now()", fatma().pk)

    @pytest.mark.parametrize(
        "what",
        [
            """params = '{"draw": "x", "unit": "KES", "amount": 1}'""",
            """amounts = '{"KES": 1}'""",
            "kind = 'draws.return_leftover'",
            "about = 'draws.draw:x'",
            "reason = 'Other'",
            "idem_key = 'other'",
            "expires_at = expires_at + interval '1 year'",
            "digest = ''",
            "requested_at = now()",
        ],
    )
    def test_what_is_asked_never_changes(self, what):
        with refused_by("never changes"):
            self.update(request(), what)

    def test_who_asked_never_changes(self):
        with refused_by("never changes"):
            self.update(request(), "requested_by_id = %s", farid().pk)

    def test_a_forged_request_is_not_done_even_with_the_guard_off(self):
        draw = make_draft()
        approval = request(draw)
        with without_trigger("payments_approval_moves_on", "payments_approval"):
            self.update(approval, "params = jsonb_set(params, '{amount}', '99999999999')")
        with pytest.raises(approvals.ActMismatchError):
            approve(approval)
        assert free(draw) == 0

    @pytest.mark.parametrize("state", ["done", "requested"])
    def test_states_are_not_skipped(self, state):
        approval = request()
        with refused_by(f"does not become {state}"):
            self.update(approval, "state = %s", state)

    @pytest.mark.parametrize("end", ["rejected", "withdrawn", "expired"])
    def test_an_end_is_an_end(self, end):
        approval = request()
        if end == "rejected":
            approvals.reject(approval=approval, by=fatma(), note="No", now=now())
        elif end == "withdrawn":
            approvals.withdraw(approval=approval, by=asker(), now=now())
        else:
            approvals.expire_approvals(now=now() + WEEK)
        with refused_by("does not become approved"):
            self.update(approval, "state = 'approved', decided_by_id = %s, decided_at = now()", farid().pk)

    def test_it_is_done_only_by_its_own_ledger_entry(self):
        approval = request()
        other = ask(amount=5, idem_key="other").entry
        self.update(approval, "state = 'approved', decided_by_id = %s, decided_at = now()", fatma().pk)
        with refused_by("its own key"):
            self.update(approval, "state = 'done', result_id = %s", other.pk)

    def test_done_without_an_entry_is_refused(self):
        approval = request()
        self.update(approval, "state = 'approved', decided_by_id = %s, decided_at = now()", fatma().pk)
        with refused_by("its own key"):
            self.update(approval, "state = 'done'")

    def test_a_decision_without_a_person_is_refused(self):
        with refused_by("payments_approval_decided"):
            self.update(request(), "state = 'approved', decided_at = now()")

    def test_who_decided_stays(self):
        approval = approve(request())
        with refused_by("does not become done"):
            self.update(approval, "decided_by_id = %s", farid().pk)

    def test_none_is_born_decided(self):
        with refused_by("begins as a request"):
            sql(
                "INSERT INTO payments_approval (public_id, idem_key, kind, amounts, params, about, reason, digest,"
                " requested_by_id, requested_at, expires_at, state, decided_by_id, decided_at, note)"
                " VALUES (gen_random_uuid(), 'k', 'draws.fund_pool', '{}', '{}', '', '', '', %s, now(), now(),"
                " 'approved', %s, now(), '')",
                [fatma().pk, farid().pk],
            )

    @pytest.mark.parametrize(
        "statement", ["DELETE FROM payments_approval", "TRUNCATE payments_approval CASCADE"]
    )
    def test_they_are_kept(self, statement):
        request()
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with refused_by("approvals are kept"):
            sql(statement)


def permission(codename: str) -> Permission:
    return Permission.objects.get(codename=codename)


def give_back(draw, amount: int, *, idem_key: str = "return:1"):
    return services.return_leftover(
        draw=draw, unit="KES", amount=amount, by=asker(), reason="Not needed", idem_key=idem_key, now=now()
    )
