"""Who is told of what waits, and of what became of it."""

import pytest
from django.utils import timezone

from notifications.models import Delivery, Message
from notifications.services import expand_due_messages
from payments import approvals
from tests.draws.factories import make_draft
from tests.factories import admin
from tests.payments.asking import asker, farid, fatma, person, request

pytestmark = pytest.mark.django_db


def told(kind: str) -> set[str]:
    expand_due_messages(now=timezone.now())
    rows = Delivery.objects.filter(message__kind=kind, channel="in_app")
    return set(rows.values_list("member__email", flat=True))


def test_those_who_may_decide_are_told_and_not_who_asked():
    farid(), admin(), asker(), person("lead", "Support lead")
    request(by=fatma())
    assert told("payments.approval_requested") == {farid().email, admin().email}


def test_the_notice_says_what_for_and_until_when():
    draw = make_draft(title="Harvest draw")
    approval = request(draw)
    message = Message.objects.get(kind="payments.approval_requested")
    assert message.context["amounts"] == "KES 100,000.01"
    assert message.context["thing"] == "Harvest draw"
    assert message.context["by"] == "Maina"
    assert message.expires_at == approval.expires_at


@pytest.mark.parametrize("outcome", ["done", "rejected", "expired"])
def test_who_asked_is_told_what_became_of_it(outcome):
    approval = request()
    if outcome == "done":
        approvals.approve(approval=approval, by=fatma(), now=timezone.now())
    elif outcome == "rejected":
        approvals.reject(approval=approval, by=fatma(), note="Too much", now=timezone.now())
    else:
        approvals.expire_approvals(now=approval.expires_at)
    assert told("payments.approval_decided") == {asker().email}
    assert Message.objects.get(kind="payments.approval_decided").context["outcome"] == outcome


def test_who_takes_it_back_needs_no_notice():
    approvals.withdraw(approval=request(), by=asker(), now=timezone.now())
    assert told("payments.approval_decided") == set()
