"""The stand-in answers as Paystack's documents say."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from payments.standin import services
from payments.standin.models import Behaviour, OutgoingWebhook, Refund, Transaction

pytestmark = pytest.mark.django_db


def told_of(answer, status=200):
    assert answer.status_code == status, answer.content
    return answer.json()


def paid(ask, reference="fg-1", **changed):
    row = ask.begin(reference, **changed)
    return services.pay(access_code=row.access_code, now=timezone.now())


class TestKey:
    @pytest.mark.parametrize("given", ["Bearer sk_test_x", "Basic x", "Bearer", "\xe9", "x"])
    def test_the_wrong_key_opens_nothing(self, ask, given):
        ask.headers = {"Authorization": given}
        told = told_of(ask.get("/bank"), 401)
        assert (told["status"], told["message"], told["code"]) == (False, "Invalid key", "invalid_Key")

    def test_no_key_opens_nothing(self, ask):
        ask.headers = {}
        assert told_of(ask.get("/bank"), 401)["message"] == "No Authorization Header was found"

    def test_another_method_finds_nothing(self, ask):
        assert told_of(ask.post("/bank", {}), 404)["status"] is False


class TestPayments:
    def test_a_payment_is_begun(self, ask, settings):
        row = ask.begin()
        told = told_of(ask.post("/transaction/initialize", {"email": "a@b.example", "amount": "500"}))
        assert told["message"] == "Authorization URL created"
        assert set(told["data"]) == {"authorization_url", "access_code", "reference"}
        assert told["data"]["authorization_url"] == (
            f"{settings.SITE_URL}/standin/paystack/checkout/{told['data']['access_code']}/"
        )
        assert (row.amount, row.metadata) == (40_000, {"payment_id": "1"})

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"email": "nobody"}, "Invalid Email Address Passed"),
            ({"amount": 0}, "Invalid Amount Sent"),
            ({"amount": "4.5"}, "Invalid Amount Sent"),
            ({"amount": -5}, "Invalid Amount Sent"),
            ({"amount": True}, "Invalid Amount Sent"),
            ({"reference": "a b"}, "Invalid character in transaction reference"),
            ({"reference": "fg-1"}, "Duplicate Transaction Reference"),
            ({"currency": "BDT"}, "Currency not supported by merchant"),
            ({"callback_url": "javascript:alert(1)"}, "Invalid callback URL"),
        ],
    )
    def test_what_paystack_refuses_is_refused(self, ask, changed, message):
        ask.begin("fg-1")
        asked = {"reference": "fg-2", "email": "a@b.example", "amount": 500, "currency": "KES"}
        answer = ask.post("/transaction/initialize", asked | changed)
        assert answer.status_code in (400, 403)
        assert answer.json()["message"].startswith(message)
        assert answer.json()["status"] is False
        assert Transaction.objects.count() == 1

    @pytest.mark.parametrize("body", ["[1]", "{", '"x"', ""])
    def test_a_body_that_is_no_object_is_refused(self, ask, body):
        answer = ask.client.post(
            "/standin/paystack/transaction/initialize",
            body,
            content_type="application/json",
            headers=ask.headers,
        )
        assert answer.status_code == 400

    def test_before_anybody_pays_it_is_abandoned(self, ask):
        ask.begin()
        data = told_of(ask.get("/transaction/verify/fg-1"))["data"]
        assert (data["status"], data["gateway_response"], data["paid_at"], data["fees"]) == (
            "abandoned",
            "The transaction was not completed",
            None,
            None,
        )

    def test_a_paid_one_says_so_in_the_documented_form(self, ask):
        paid(ask)
        told = told_of(ask.get("/transaction/verify/fg-1"))
        assert told["message"] == "Verification successful"
        data = told["data"]
        assert {name: data[name] for name in ("status", "amount", "requested_amount", "domain", "fees")} == {
            "status": "success",
            "amount": 40_000,
            "requested_amount": 40_000,
            "domain": "test",
            "fees": 600,
        }
        assert data["customer"]["email"] == "alice@example.org"
        assert data["metadata"] == {"payment_id": "1"}
        assert data["paid_at"] == data["paidAt"]

    def test_without_metadata_it_is_an_empty_text_as_at_paystack(self, ask):
        ask.begin(metadata=None)
        assert told_of(ask.get("/transaction/verify/fg-1"))["data"]["metadata"] == ""

    def test_an_unknown_one_has_status_400_as_at_paystack(self, ask):
        told = told_of(ask.get("/transaction/verify/unknown"), 400)
        assert (told["message"], told["code"]) == (
            "Transaction reference not found.",
            "transaction_not_found",
        )

    def test_the_list_has_pages_and_days(self, ask):
        for number in range(5):
            ask.begin(f"fg-{number}")
        Transaction.objects.filter(reference="fg-0").update(created_at=timezone.now() - timedelta(days=3))
        told = told_of(ask.get("/transaction", perPage=2, page=2))
        assert [item["reference"] for item in told["data"]] == ["fg-2", "fg-1"]
        assert told["meta"] == {"total": 5, "skipped": 2, "perPage": "2", "page": 2, "pageCount": 3}
        yesterday = (timezone.now() - timedelta(days=1)).isoformat()
        assert told_of(ask.get("/transaction", **{"from": yesterday}))["meta"]["total"] == 4
        assert told_of(ask.get("/transaction", to=yesterday))["meta"]["total"] == 1
        assert told_of(ask.get("/transaction", to="yesterday"), 400)["message"] == "Invalid 'to' date"
        assert told_of(ask.get("/transaction", status="success"))["data"] == []

    def test_paying_twice_is_paying_once(self, ask):
        row = paid(ask)
        services.pay(access_code=row.access_code, now=timezone.now())
        assert OutgoingWebhook.objects.count() == 1

    def test_a_failed_one_may_still_be_paid_and_a_paid_one_does_not_fail(self, ask):
        row, now = ask.begin(), timezone.now()
        assert services.decline(access_code=row.access_code, now=now).status == "failed"
        assert not OutgoingWebhook.objects.exists()
        assert services.pay(access_code=row.access_code, now=now).status == "success"
        assert services.decline(access_code=row.access_code, now=now).status == "success"

    def test_a_late_one_pays_itself_when_its_time_has_come(self, ask):
        row, now = ask.begin(), timezone.now()
        services.pay_late(access_code=row.access_code, after=timedelta(seconds=90), now=now)
        assert services.move_on(now=now + timedelta(seconds=89)) == 0
        assert services.move_on(now=now + timedelta(seconds=90)) == 1
        assert services.move_on(now=now + timedelta(seconds=91)) == 0
        row.refresh_from_db()
        assert (row.status, row.paid_at) == ("success", now + timedelta(seconds=90))


class TestRefunds:
    def test_it_goes_its_way_and_tells_of_each_step(self, ask):
        paid(ask)
        asked = {"transaction": "fg-1", "amount": "10000", "merchant_note": "refund 7"}
        told = told_of(ask.post("/refund", asked))
        assert told["message"] == "Refund has been queued for processing"
        assert told["data"]["transaction"]["reference"] == "fg-1"
        assert (told["data"]["amount"], told["data"]["status"]) == (10_000, "pending")
        now = timezone.now()
        assert services.move_on(now=now + timedelta(seconds=3)) == 1
        assert services.move_on(now=now + timedelta(seconds=6)) == 1
        events = [row.event for row in OutgoingWebhook.objects.order_by("pk")]
        assert events == ["charge.success", "refund.pending", "refund.processing", "refund.processed"]
        number = told["data"]["transaction"]["id"]
        [listed] = told_of(ask.get("/refund", transaction=number))["data"]
        assert (listed["transaction"], listed["status"], listed["merchant_note"], listed["id"]) == (
            number,
            "processed",
            "refund 7",
            told["data"]["id"],
        )
        assert told_of(ask.get("/transaction/verify/fg-1"))["data"]["status"] == "success"

    def test_by_itself_it_is_all_that_is_left_and_then_the_payment_is_reversed(self, ask):
        paid(ask)
        told_of(ask.post("/refund", {"transaction": "fg-1", "amount": 15_000}))
        assert told_of(ask.post("/refund", {"transaction": "fg-1"}))["data"]["amount"] == 25_000
        now = timezone.now()
        for seconds in (3, 6):
            services.move_on(now=now + timedelta(seconds=seconds))
        assert told_of(ask.get("/transaction/verify/fg-1"))["data"]["status"] == "reversed"
        told = told_of(ask.post("/refund", {"transaction": "fg-1"}), 400)
        assert told["message"] == "Transaction has been fully reversed"

    def test_never_more_than_was_paid(self, ask):
        paid(ask)
        told_of(ask.post("/refund", {"transaction": "fg-1", "amount": 30_000}))
        told = told_of(ask.post("/refund", {"transaction": "fg-1", "amount": 10_001}), 400)
        assert told["message"] == "Refund amount cannot be more than transaction amount"
        assert Refund.objects.count() == 1

    @pytest.mark.parametrize(
        "asked",
        [{"transaction": "fg-9"}, {}, {"transaction": "fg-1", "amount": 5, "currency": "NGN"}],
    )
    def test_what_can_not_be_is_refused(self, ask, asked):
        paid(ask)
        assert ask.post("/refund", asked).status_code == 400

    def test_what_was_not_paid_is_not_given_back(self, ask):
        ask.begin()
        assert ask.post("/refund", {"transaction": "fg-1"}).status_code == 400

    @pytest.mark.parametrize(("effect", "end"), [("fail", "failed"), ("attention", "needs-attention")])
    def test_it_ends_as_told(self, ask, effect, end):
        paid(ask)
        behave("refund", effect)
        told_of(ask.post("/refund", {"transaction": "fg-1", "amount": 10_000}))
        now = timezone.now()
        for seconds in (3, 6):
            services.move_on(now=now + timedelta(seconds=seconds))
        assert Refund.objects.get().status == end
        assert OutgoingWebhook.objects.latest("pk").event == f"refund.{end}"
        # A refund that failed gives its amount free.
        rest = 40_000 if end == "failed" else 30_000
        assert told_of(ask.post("/refund", {"transaction": "fg-1"}))["data"]["amount"] == rest


class TestTransfers:
    MPESA = {
        "type": "mobile_money",
        "name": "Alice",
        "account_number": "0700000000",
        "bank_code": "MPESA",
        "currency": "KES",
    }

    def recipient(self, ask):
        return told_of(ask.post("/transferrecipient", self.MPESA), 201)["data"]["recipient_code"]

    def begin(self, ask, **changed):
        asked = {
            "source": "balance",
            "reference": "fg-withdrawal-0001",
            "amount": 500,
            "currency": "KES",
            "recipient": self.recipient(ask),
        }
        return ask.post("/transfer", asked | changed)

    def test_the_same_account_is_the_same_recipient(self, ask):
        assert self.recipient(ask) == self.recipient(ask)

    @pytest.mark.parametrize(
        "changed",
        [{"type": "cash"}, {"name": ""}, {"account_number": ""}, {"bank_code": "999"}, {"currency": "NGN"}],
    )
    def test_who_can_not_be_paid_is_no_recipient(self, ask, changed):
        assert ask.post("/transferrecipient", self.MPESA | changed).status_code == 400

    def test_it_goes_its_way(self, ask):
        told = told_of(self.begin(ask))
        assert (told["message"], told["data"]["status"]) == ("Transfer has been queued", "pending")
        services.move_on(now=timezone.now() + timedelta(seconds=3))
        data = told_of(ask.get("/transfer/verify/fg-withdrawal-0001"))["data"]
        assert (data["status"], data["recipient"]["details"]["bank_name"]) == ("success", "M-PESA")
        assert OutgoingWebhook.objects.get().event == "transfer.success"

    def test_a_reference_is_paid_once(self, ask):
        told_of(self.begin(ask))
        assert told_of(self.begin(ask), 400)["message"].startswith("Please provide a unique reference")

    @pytest.mark.parametrize(
        ("changed", "status"),
        [
            ({"reference": "FG-WITHDRAWAL-0001"}, 400),
            ({"reference": "short"}, 400),
            ({"recipient": "RCP_unknown"}, 404),
            ({"currency": "NGN"}, 400),
            ({"amount": 0}, 400),
        ],
    )
    def test_what_paystack_refuses_is_refused(self, ask, changed, status):
        told_of(self.begin(ask, **changed), status)

    @pytest.mark.parametrize(("effect", "end"), [("fail", "failed"), ("reverse", "reversed")])
    def test_it_ends_as_told(self, ask, effect, end):
        behave("transfer", effect)
        told_of(self.begin(ask))
        services.move_on(now=timezone.now() + timedelta(seconds=3))
        assert OutgoingWebhook.objects.get().event == f"transfer.{end}"

    def test_it_may_wait_for_a_code_for_ever(self, ask):
        behave("transfer", "otp")
        assert told_of(self.begin(ask))["data"]["status"] == "otp"
        assert services.move_on(now=timezone.now() + timedelta(days=1)) == 0

    def test_an_unknown_one_is_not_found(self, ask):
        assert told_of(ask.get("/transfer/verify/unknown"), 404)["message"] == "Transfer not found"

    def test_banks_are_listed_by_currency(self, ask):
        data = told_of(ask.get("/bank", currency="KES"))["data"]
        assert {bank["currency"] for bank in data} == {"KES"}
        assert "MPESA" in {bank["code"] for bank in data}
        assert {bank["type"] for bank in told_of(ask.get("/bank", country="nigeria"))["data"]} == {"nuban"}


class TestMisbehaving:
    def test_an_error_does_nothing(self, ask):
        behave("initialize", "error")
        asked = {"reference": "fg-1", "email": "a@b.example", "amount": 500, "currency": "KES"}
        assert ask.post("/transaction/initialize", asked).status_code == 500
        assert not Transaction.objects.exists()
        assert ask.post("/transaction/initialize", asked).status_code == 200  # it is used up

    @pytest.mark.parametrize(("effect", "status"), [("error_after", 500), ("html", 200), ("timeout", 200)])
    def test_what_was_done_stays_done_however_it_is_answered(self, ask, effect, status, monkeypatch):
        slept = []
        monkeypatch.setattr("payments.standin.views.time.sleep", slept.append)
        behave("initialize", effect, value=7)
        asked = {"reference": "fg-1", "email": "a@b.example", "amount": 500, "currency": "KES"}
        answer = ask.post("/transaction/initialize", asked)
        assert answer.status_code == status
        assert answer.headers["Content-Type"].startswith("text/html") == (effect == "html")
        assert slept == ([7] if effect == "timeout" else [])
        assert Transaction.objects.get().reference == "fg-1"

    def test_a_refusal_does_nothing(self, ask):
        behave("transfer", "refuse")
        answer = ask.post("/transfer", {})
        assert told_of(answer, 400)["message"] == "Your balance is not enough to fulfill this request"

    @pytest.mark.parametrize(
        ("effect", "amount", "domain"),
        [("underpay", 39_900, "test"), ("overpay", 40_100, "test"), ("live", 40_000, "live")],
    )
    def test_a_payment_may_be_other_than_was_asked(self, ask, effect, amount, domain):
        behave("pay", effect)
        row = paid(ask)
        assert (row.amount, row.requested_amount, row.domain) == (amount, 40_000, domain)

    def test_it_is_counted_down_and_each_operation_has_its_own(self, ask):
        behave("banks", "error", times=2)
        assert [ask.get("/bank").status_code for _ in range(3)] == [500, 500, 200]
        behave("verify", "error")
        assert ask.get("/bank").status_code == 200

    def test_effects_on_the_end_and_on_the_answer_do_not_use_each_other_up(self, ask):
        paid(ask)
        behave("refund", "fail")
        behave("refund", "error")
        assert ask.post("/refund", {"transaction": "fg-1", "amount": 5}).status_code == 500
        told_of(ask.post("/refund", {"transaction": "fg-1", "amount": 5}))
        assert Refund.objects.get().ends_as == "failed"


def test_what_is_due_moves_on_when_somebody_asks(ask):
    row = ask.begin()
    services.pay_late(access_code=row.access_code, after=timedelta(seconds=10), now=timezone.now())
    with time_machine.travel(timezone.now() + timedelta(seconds=11)):
        assert told_of(ask.get("/transaction/verify/fg-1"))["data"]["status"] == "success"


def behave(operation, effect, times=1, value=0):
    Behaviour.objects.create(operation=operation, effect=effect, times_left=times, value=value)
