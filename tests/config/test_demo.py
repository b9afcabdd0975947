"""The demo data: made by the services that people use, and showing what they do."""

import pytest
from django.utils import timezone

from accounts.models import User
from config import demo
from draws.models import Draw
from payments.approvals import waiting, waiting_for
from payments.checking import check_ledger
from payments.models import Approval

pytestmark = pytest.mark.django_db


def test_its_draws_are_published_but_for_the_draft_and_the_ledger_is_whole():
    demo.seed(now=timezone.now())
    states = dict(Draw.objects.values_list("slug", "status"))
    assert states.pop("new-years-draw") == "draft"
    assert set(states.values()) == {"active"}
    assert check_ledger() == []


def test_it_shows_large_amounts_that_were_approved_and_one_that_waits():
    now = timezone.now()
    demo.seed(now=now)
    done = Approval.objects.filter(state="done")
    people = {(approval.requested_by.email, approval.decided_by.email) for approval in done}
    assert people == {(f"admin@{demo.DOMAIN}", f"finance@{demo.DOMAIN}")}
    waits = waiting(now=now).get()
    assert waits.about == Draw.objects.get(slug="new-years-draw").about
    for name in ("admin", "finance"):
        assert waiting_for(User.objects.get(email=f"{name}@{demo.DOMAIN}"), now=now).get() == waits
