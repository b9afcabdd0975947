"""`manage.py standin`."""

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from payments.standin import services, webhooks
from payments.standin.models import EFFECTS, Behaviour, Operation, OutgoingWebhook

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nobody_listens(settings, monkeypatch):
    monkeypatch.setattr(webhooks, "send_soon", lambda: None)
    settings.SITE_URL = "http://127.0.0.1:9"


def run(capsys, *arguments):
    call_command("standin", *arguments)
    return capsys.readouterr().out


def test_it_makes_it_misbehave_so_and_so_often(capsys):
    run(capsys, "behave", "webhook", "repeat=2:3", "lose")
    kept = Behaviour.objects.order_by("pk").values_list("operation", "effect", "times_left", "value")
    assert list(kept) == [("webhook", "repeat", 2, 3), ("webhook", "lose", 1, 0)]
    assert "forgot 2" in run(capsys, "forget")
    assert not Behaviour.objects.exists()


@pytest.mark.parametrize("operation", Operation)
def test_every_effect_of_every_operation_can_be_asked_for(capsys, operation):
    run(capsys, "behave", operation, *EFFECTS[operation])
    assert Behaviour.objects.count() == len(EFFECTS[operation]) > 0


@pytest.mark.parametrize("effect", ["explode", "underpay", "timeout=x", "timeout=1:x", "timeout=-1"])
def test_what_it_can_not_do_is_said(effect):
    with pytest.raises(CommandError):
        call_command("standin", "behave", "verify", effect)
    assert not Behaviour.objects.exists()


def test_a_payment_is_disputed(capsys):
    now = timezone.now()
    asked = {"reference": "fg-1", "email": "a@b.example", "amount": 500, "currency": "KES"}
    row = services.begin(asked=asked, now=now)
    with pytest.raises(CommandError, match="not been completed"):
        call_command("standin", "dispute", "fg-1")
    services.pay(access_code=row.access_code, now=now)
    assert "0 heard" in run(capsys, "dispute", "fg-1", "--event", "resolve", "--resolution", "declined")
    assert OutgoingWebhook.objects.latest("pk").event == "charge.dispute.resolve"
    with pytest.raises(CommandError, match="not found: fg-2"):
        call_command("standin", "dispute", "fg-2")
    shown = run(capsys, "show")
    assert "fg-1 KES 500 success" in shown
    assert "charge.success waits, tried 1 times" in shown
    assert "moved 0" in run(capsys, "sweep")


def test_there_is_none_where_paystack_itself_is(settings):
    settings.PAYSTACK_STANDIN = False
    with pytest.raises(CommandError, match="no stand-in"):
        call_command("standin", "forget")
