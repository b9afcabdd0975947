"""The seam and the stand-in over real HTTP, and the checkout page in a real browser on a phone."""

import json
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import expect

from payments import paystack
from payments.paystack import signature_is_valid
from payments.standin.models import OutgoingWebhook, Refund, Transaction
from tests.fakes.webhook import FakeReceiver
from tests.live import LiveSite, wait_until

PHONE = {"width": 360, "height": 740}


def begin(site, reference="fg-1", **changed):
    asked = {
        "reference": reference,
        "email": "alice@example.org",
        "amount": 40_000,
        "currency": "KES",
        "callback_url": f"{site.url}/draws/?x=1",
        "metadata": {"payment_id": "1"},
    }
    return paystack.initialize(**(asked | changed))


def pay(site, reference="fg-1"):
    begin(site, reference)
    row = Transaction.objects.get(reference=reference)
    row.status, row.paid_at = "success", timezone.now()
    row.save()


class TestSeam:
    """Every function of the seam, and what it makes of each way to misbehave."""

    def test_every_operation_is_understood(self, at_site):
        checkout = begin(at_site)
        assert checkout.reference == "fg-1"
        assert checkout.authorization_url == (
            f"{at_site.url}/standin/paystack/checkout/{checkout.access_code}/"
        )
        assert paystack.verify(reference="fg-1").status == "abandoned"
        row = Transaction.objects.get()
        row.status, row.paid_at = "success", timezone.now()
        row.save()
        paid = paystack.verify(reference="fg-1")
        assert (paid.status, paid.amount, paid.requested_amount, paid.currency) == (
            "success",
            40_000,
            40_000,
            "KES",
        )
        assert (paid.domain, paid.metadata, paid.customer_email) == (
            "test",
            {"payment_id": "1"},
            "alice@example.org",
        )
        assert paid.paid_at is not None

        pay(at_site, "fg-2")
        now = timezone.now()
        page = paystack.list_transactions(
            since=now - timedelta(hours=1), until=now + timedelta(hours=1), per_page=1
        )
        assert ([item.reference for item in page.items], page.pages) == (["fg-2"], 2)

        refund = paystack.refund(
            transaction="fg-1", amount=10_000, currency="KES", reason="Unused", merchant_note="refund 7"
        )
        assert (refund.transaction_reference, refund.amount, refund.status) == ("fg-1", 10_000, "pending")
        paystack.refund(transaction="fg-2", amount=1, currency="KES", reason="x", merchant_note="refund 8")
        for named in (paid.id, "fg-1"):
            [listed] = paystack.list_refunds(transaction=named)
            assert (listed.id, listed.merchant_note, listed.amount) == (refund.id, "refund 7", 10_000)

        code = paystack.create_recipient(
            type="mobile_money", name="Al", account_number="0700000000", bank_code="MPESA", currency="KES"
        )
        sent = paystack.transfer(
            reference="fg-withdrawal-0001", amount=500, currency="KES", recipient=code, reason="Withdrawal"
        )
        assert (sent.reference, sent.status) == ("fg-withdrawal-0001", "pending")
        assert paystack.verify_transfer(reference="fg-withdrawal-0001").code == sent.code
        assert paystack.Bank("M-PESA", "MPESA", "mobile_money") in paystack.list_banks(currency="KES")

        with pytest.raises(paystack.PaystackRefusedError, match="Duplicate Transaction Reference"):
            begin(at_site)
        for unknown in (paystack.verify, paystack.verify_transfer):
            with pytest.raises(paystack.NotFoundError):
                unknown(reference="unknown")

    def test_every_misbehaviour_is_what_it_says(self, at_site, settings, monkeypatch):
        monkeypatch.setattr(paystack, "RETRY_AFTER_S", (0, 0))
        at_site.manage(
            "standin", "behave", "initialize", "timeout=1:3", "error_after", "html", "error", "refuse"
        )
        settings.PAYSTACK_TIMEOUT_S = 1
        with pytest.raises(paystack.OutcomeUnknownError, match="did not answer"):
            begin(at_site, "late")
        settings.PAYSTACK_TIMEOUT_S = 10
        for reference in ("error-after", "page", "error"):
            with pytest.raises(paystack.OutcomeUnknownError):
                begin(at_site, reference)
        with pytest.raises(paystack.PaystackRefusedError):
            begin(at_site, "refused")
        done = set(Transaction.objects.values_list("reference", flat=True))
        assert done == {"late", "error-after", "page"}  # nobody could have known

        at_site.manage("standin", "behave", "verify", "error=2")
        assert paystack.verify(reference="late").status == "abandoned"  # a GET is asked again

    def test_a_stranger_gets_nothing(self, at_site, settings):
        settings.PAYSTACK_SECRET_KEY = "sk_test_" + "0" * 40
        with pytest.raises(paystack.PaystackRefusedError, match="Invalid key") as raised:
            begin(at_site)
        assert raised.value.status == 401


class TestCheckoutPage:
    @pytest.fixture
    def phone(self, page, page_errors):
        page.set_viewport_size(PHONE)
        yield page
        assert page_errors == []

    def open(self, site, phone, **changed):
        phone.goto(begin(site, **changed).authorization_url)
        expect(phone.get_by_text("Test mode")).to_be_visible()
        expect(phone.get_by_role("heading", name="KES 400.00")).to_be_visible()
        assert phone.evaluate("document.documentElement.scrollWidth") <= 360

    def came_back(self, site, phone):
        phone.wait_for_url(f"{site.url}/draws/**")
        assert parse_qs(urlsplit(phone.url).query) == {"x": ["1"], "trxref": ["fg-1"], "reference": ["fg-1"]}

    @pytest.mark.parametrize(
        ("button", "status"),
        [("Pay KES 400.00", "success"), ("Let it fail", "failed"), ("Leave without paying", "abandoned")],
    )
    def test_a_button_does_what_it_says_and_leads_back(self, at_site, phone, button, status):
        self.open(at_site, phone)
        phone.get_by_role("button", name=button).click()
        self.came_back(at_site, phone)
        assert paystack.verify(reference="fg-1").status == status

    def test_who_pays_late_is_back_before_it_is_paid(self, at_site, phone):
        self.open(at_site, phone)
        phone.get_by_label("Paid after").select_option("10 seconds")
        phone.get_by_role("button", name="Pay late").click()
        self.came_back(at_site, phone)
        assert paystack.verify(reference="fg-1").status == "abandoned"
        Transaction.objects.update(pay_at=timezone.now())  # instead of waiting
        at_site.manage("standin", "sweep")
        assert paystack.verify(reference="fg-1").status == "success"

    def test_after_a_failure_it_may_be_tried_again_and_what_is_paid_is_paid(self, at_site, phone):
        self.open(at_site, phone)
        address = phone.url
        phone.get_by_role("button", name="Let it fail").click()
        self.came_back(at_site, phone)
        phone.goto(address)
        expect(phone.get_by_text("You can try again")).to_be_visible()
        phone.get_by_role("button", name="Pay KES 400.00").click()
        self.came_back(at_site, phone)
        phone.goto(address)
        expect(phone.get_by_text("This is paid.")).to_be_visible()
        phone.get_by_role("link", name="Back to the shop").click()
        self.came_back(at_site, phone)

    def test_it_is_for_everybody_by_day_and_by_night(self, at_site, phone):
        self.open(at_site, phone)
        for scheme in ("light", "dark"):
            phone.emulate_media(color_scheme=scheme)
            assert Axe().run(phone).response["violations"] == []
        phone.set_viewport_size({"width": 1440, "height": 900})
        assert phone.evaluate("document.documentElement.scrollWidth") <= 1440


@pytest.fixture
def receiver():
    with FakeReceiver(status=200) as receiver:
        yield receiver


@pytest.fixture
def elsewhere(cloned_db, tmp_path, receiver, settings):
    """The real site, whose webhooks go to `receiver`."""
    site = LiveSite(cloned_db.env, tmp_path)
    site.env["SITE_URL"] = receiver.url.removesuffix("/hook")
    settings.PAYSTACK_BASE_URL = f"{site.url}/standin/paystack"
    try:
        site.start_web()
        yield site
    finally:
        site.stop()


class TestWebhooks:
    def test_paying_sends_a_signed_webhook_at_once(self, elsewhere, receiver, page, settings):
        begin(elsewhere, callback_url=f"{elsewhere.url}/draws/")
        access_code = Transaction.objects.get().access_code
        page.goto(f"{elsewhere.url}/standin/paystack/checkout/{access_code}/")
        page.get_by_role("button", name="Pay KES 400.00").click()
        page.wait_for_url("**/draws/**")
        wait_until(lambda: len(receiver.heard) == 1, "the webhook", 20)
        [heard] = receiver.heard
        assert heard.path == "/webhooks/paystack/"
        assert signature_is_valid(
            body=heard.body,
            header=heard.headers["x-paystack-signature"],
            keys=[settings.PAYSTACK_SECRET_KEY],
        )
        data = json.loads(heard.body)["data"]
        assert (data["reference"], data["status"], data["amount"]) == ("fg-1", "success", 40_000)

    def test_the_command_has_sent_what_it_caused_before_it_ends(self, elsewhere, receiver):
        begin(elsewhere, callback_url="")
        Transaction.objects.update(pay_at=timezone.now())
        assert elsewhere.manage("standin", "sweep").strip() == "moved 1, heard 1"
        assert elsewhere.manage("standin", "dispute", "fg-1").strip() == "charge.dispute.create: 1 heard"
        assert [heard.json["event"] for heard in receiver.heard] == [
            "charge.success",
            "charge.dispute.create",
        ]

    def test_worker_and_beat_move_a_refund_to_its_end(self, elsewhere, receiver):
        elsewhere.manage("sync_schedule")
        pay(elsewhere)
        paystack.refund(transaction="fg-1", amount=5, currency="KES", reason="x", merchant_note="y")
        elsewhere.start_worker()
        elsewhere.start_beat()
        wait_until(
            lambda: OutgoingWebhook.objects.filter(heard_at__isnull=False).count() == 3, "three webhooks", 60
        )
        assert Refund.objects.get().status == "processed"
        assert [heard.json["event"] for heard in receiver.heard] == [
            "refund.pending",
            "refund.processing",
            "refund.processed",
        ]
