"""The stand-in for tests: asked over HTTP as Paystack is."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from payments.standin import webhooks
from payments.standin.models import Transaction
from tests.live import LiveSite

API = "/standin/paystack"


class Asking:
    """Asks the stand-in as somebody with the key would."""

    def __init__(self) -> None:
        self.client = Client()
        self.headers = {"Authorization": f"Bearer {settings.PAYSTACK_SECRET_KEY}"}

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"{API}{path}", query, headers=self.headers)

    def post(self, path: str, body: Any) -> Any:
        return self.client.post(
            f"{API}{path}", json.dumps(body), content_type="application/json", headers=self.headers
        )

    def begin(self, reference: str = "fg-1", **changed: Any) -> Transaction:
        """A payment that was begun."""
        asked = {
            "reference": reference,
            "email": "alice@example.org",
            "amount": 40_000,
            "currency": "KES",
            "callback_url": "http://testserver/back/?x=1",
            "metadata": {"payment_id": "1"},
        }
        answer = self.post("/transaction/initialize", asked | changed)
        assert answer.status_code == 200, answer.content
        return Transaction.objects.get(reference=reference)


@pytest.fixture
def ask(monkeypatch) -> Asking:
    # Nothing is sent behind a test's back; what sends is tested by itself, and with the real site.
    monkeypatch.setattr(webhooks, "send_soon", lambda: None)
    return Asking()


@pytest.fixture
def at_site(live_site: LiveSite, settings) -> LiveSite:
    """`payments.paystack` of this process asks the stand-in of the real site."""
    settings.PAYSTACK_BASE_URL = f"{live_site.url}{API}"
    return live_site
