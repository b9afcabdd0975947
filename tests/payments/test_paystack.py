"""The seam to Paystack, against a server that answers, refuses, hangs, breaks and lies."""

import hashlib
import hmac
import socket
import traceback
from datetime import UTC, datetime

import pytest

from payments import paystack
from payments.paystack_answers import UnreadableError, read_metadata, read_refund, read_transaction
from tests.fakes.paystack import FakePaystack, Trick

KEY = "sk_test_0123456789abcdef0123456789abcdef01234567"
PAID = {
    "id": 2009945086,
    "domain": "test",
    "status": "success",
    "reference": "fg-1",
    "amount": 40_000,
    "requested_amount": 40_000,
    "gateway_response": "Successful",
    "paid_at": "2022-08-09T14:21:32.000Z",
    "channel": "card",
    "currency": "KES",
    "metadata": {"payment_id": "1"},
    "fees": 100,
    "customer": {"email": "alice@example.org"},
}
REFUND = {
    "id": 3018284,
    "transaction": {"id": 2009945086, "reference": "fg-1"},
    "amount": 10_000,
    "currency": "KES",
    "status": "pending",
    "merchant_note": "refund 7",
}
TRANSFER = {
    "reference": "fg-w-1",
    "amount": 500,
    "currency": "KES",
    "status": "pending",
    "transfer_code": "TRF_1",
}

UNKNOWN = [
    Trick.HANG,
    Trick.DRIBBLE,
    Trick.CUT,
    Trick.CUT_BODY,
    Trick.ENDLESS,
    Trick.HTML,
    Trick.BROKEN,
    Trick.LIST,
    Trick.LATIN,
    Trick.REDIRECT,
    Trick.ERROR,
    Trick.BAD_GATEWAY,
    Trick.BLOCKED,
    Trick.TIMED_OUT,
]


def ok(data, **more):
    return {"status": True, "message": "Fine", "data": data, **more}


def no(message, **more):
    return {"status": False, "message": message, **more}


@pytest.fixture
def serve(settings, monkeypatch):
    """`serve(answer, …)`: a server in Paystack's place."""
    servers = []
    monkeypatch.setattr(paystack, "RETRY_AFTER_S", (0, 0))

    def start(*answers):
        server = FakePaystack(*answers).__enter__()
        servers.append(server)
        settings.PAYSTACK_BASE_URL = server.url
        settings.PAYSTACK_SECRET_KEY = KEY
        settings.PAYSTACK_TIMEOUT_S = 0.5
        return server

    yield start
    for server in servers:
        server.__exit__()


def begin():
    return paystack.initialize(
        reference="fg-1",
        email="alice@example.org",
        amount=40_000,
        currency="KES",
        callback_url="https://fairground.example/buy/back/",
        metadata={"payment_id": "1"},
    )


def give_back():
    return paystack.refund(
        transaction="fg-1", amount=10_000, currency="KES", reason="Unused", merchant_note="refund 7"
    )


def pay_out():
    return paystack.transfer(
        reference="fg-w-1", amount=500, currency="KES", recipient="RCP_1", reason="Withdrawal"
    )


class TestAsking:
    def test_it_begins_a_payment(self, serve):
        data = {"authorization_url": "https://checkout.example/x", "access_code": "x", "reference": "fg-1"}
        server = serve(ok(data))
        assert begin() == paystack.Checkout("https://checkout.example/x", "x", "fg-1")
        [asked] = server.asked
        assert (asked.method, asked.path) == ("POST", "/transaction/initialize")
        assert asked.headers["authorization"] == f"Bearer {KEY}"
        assert asked.json == {
            "reference": "fg-1",
            "email": "alice@example.org",
            "amount": 40_000,
            "currency": "KES",
            "callback_url": "https://fairground.example/buy/back/",
            "metadata": {"payment_id": "1"},
        }

    def test_it_never_sends_anybody_to_an_address_that_is_none_of_the_web(self, serve):
        serve(ok({"authorization_url": "javascript:alert(1)", "access_code": "x", "reference": "fg-1"}))
        with pytest.raises(paystack.OutcomeUnknownError):
            begin()

    def test_it_verifies(self, serve):
        server = serve(ok(PAID))
        transaction = paystack.verify(reference="fg 1/ä")
        assert server.asked[0].path == "/transaction/verify/fg%201%2F%C3%A4"
        assert transaction == paystack.Transaction(
            id="2009945086",
            reference="fg-1",
            status="success",
            amount=40_000,
            requested_amount=40_000,
            currency="KES",
            domain="test",
            paid_at=datetime(2022, 8, 9, 14, 21, 32, tzinfo=UTC),
            gateway_response="Successful",
            channel="card",
            fees=100,
            metadata={"payment_id": "1"},
            customer_email="alice@example.org",
            raw=PAID,
        )

    def test_it_lists_transactions_by_page(self, serve):
        server = serve(ok([PAID, PAID | {"status": "failed"}], meta={"page": 2, "pageCount": 7}))
        since, until = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, 3, 4, 5, 6000, tzinfo=UTC)
        page = paystack.list_transactions(since=since, until=until, page=2)
        assert [item.status for item in page.items] == ["success", "failed"]
        assert (page.page, page.pages) == (2, 7)
        assert server.asked[0].path == (
            "/transaction?perPage=100&page=2&from=2026-11-01T00%3A00%3A00.000Z&to=2026-11-02T03%3A04%3A05.006Z"
        )

    def test_it_refunds(self, serve):
        server = serve(ok(REFUND))
        state = give_back()
        assert (state.id, state.transaction_reference, state.amount, state.status) == (
            "3018284",
            "fg-1",
            10_000,
            "pending",
        )
        assert server.asked[0].json == {
            "transaction": "fg-1",
            "amount": 10_000,
            "currency": "KES",
            "customer_note": "Unused",
            "merchant_note": "refund 7",
        }

    def test_it_lists_the_refunds_of_one_transaction_over_all_pages(self, serve):
        first = REFUND | {"transaction": 2009945086, "amount": "700"}
        other = REFUND | {"transaction": 5}
        server = serve(ok([first, other], meta={"pageCount": 2}), ok([first], meta={"pageCount": "2"}))
        found = paystack.list_refunds(transaction="2009945086")
        assert [(item.amount, item.merchant_note) for item in found] == [(700, "refund 7")] * 2
        assert [asked.path for asked in server.asked] == [
            f"/refund?transaction=2009945086&perPage=100&page={page}" for page in (1, 2)
        ]

    def test_refunds_are_found_by_reference_too_and_never_taken_for_none(self, serve):
        server = serve(ok(PAID), ok([REFUND | {"transaction": 2009945086}], meta={"pageCount": 1}))
        assert len(paystack.list_refunds(transaction="fg-1")) == 1
        assert [asked.path for asked in server.asked] == [
            "/transaction/verify/fg-1",
            "/refund?transaction=2009945086&perPage=100&page=1",
        ]

    def test_it_makes_a_recipient(self, serve):
        server = serve((201, ok({"recipient_code": "RCP_1", "id": 1})))
        code = paystack.create_recipient(
            type="mobile_money",
            name="Alice",
            account_number="0700000000",
            bank_code="MPESA",
            currency="KES",
        )
        assert code == "RCP_1"
        assert server.asked[0].json["type"] == "mobile_money"

    def test_it_pays_out(self, serve):
        server = serve(ok({name: value for name, value in TRANSFER.items() if name != "reference"}))
        state = pay_out()
        assert (state.reference, state.code, state.status, state.amount) == (
            "fg-w-1",
            "TRF_1",
            "pending",
            500,
        )
        assert server.asked[0].json == {
            "source": "balance",
            "amount": 500,
            "recipient": "RCP_1",
            "reason": "Withdrawal",
            "currency": "KES",
            "reference": "fg-w-1",
        }

    def test_it_asks_about_a_transfer(self, serve):
        serve(ok(TRANSFER | {"status": "success"}))
        assert paystack.verify_transfer(reference="fg-w-1").status == "success"

    def test_it_lists_banks(self, serve):
        server = serve(ok([{"name": "M-PESA", "code": "MPESA", "type": "mobile_money"}]))
        assert paystack.list_banks(currency="KES") == [paystack.Bank("M-PESA", "MPESA", "mobile_money")]
        assert server.asked[0].path == "/bank?currency=KES"


class TestFailing:
    @pytest.mark.parametrize("trick", UNKNOWN, ids=lambda trick: trick.name)
    def test_a_post_is_sent_once_and_nobody_claims_to_know_what_became_of_it(self, serve, trick):
        server = serve(trick)
        with pytest.raises(paystack.OutcomeUnknownError) as raised:
            give_back()
        assert len(server.asked) == 1
        assert raised.value.message.endswith(".")

    @pytest.mark.parametrize(
        "trick", [Trick.CUT, Trick.ERROR, Trick.BAD_GATEWAY, Trick.BROKEN], ids=lambda trick: trick.name
    )
    def test_a_get_is_sent_again_twice(self, serve, trick):
        server = serve(trick, trick, ok(PAID))
        assert paystack.verify(reference="fg-1").status == "success"
        assert len(server.asked) == 3

    def test_a_get_fails_the_third_time(self, serve):
        server = serve(Trick.ERROR)
        with pytest.raises(paystack.OutcomeUnknownError):
            paystack.verify(reference="fg-1")
        assert len(server.asked) == 3

    def test_a_get_that_hung_is_not_sent_again_for_its_time_is_over(self, serve):
        server = serve(Trick.HANG)
        with pytest.raises(paystack.OutcomeUnknownError):
            paystack.verify(reference="fg-1")
        assert len(server.asked) == 1

    def test_a_redirect_is_not_followed(self, serve):
        server = serve(Trick.REDIRECT)
        with pytest.raises(paystack.OutcomeUnknownError):
            begin()
        assert [asked.path for asked in server.asked] == ["/transaction/initialize"]

    def test_nothing_was_sent_where_nobody_listens(self, settings, serve):
        serve(ok(PAID))
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            settings.PAYSTACK_BASE_URL = f"http://127.0.0.1:{closed.getsockname()[1]}"
            with pytest.raises(paystack.PaystackUnavailableError):
                give_back()

    def test_nothing_is_sent_without_a_key(self, settings, serve):
        server = serve(ok(PAID))
        settings.PAYSTACK_SECRET_KEY = ""
        with pytest.raises(paystack.PaystackUnavailableError, match="not set up"):
            give_back()
        assert server.asked == []

    @pytest.mark.parametrize("status", [400, 401, 403, 409, 422, 429])
    def test_a_refusal_has_paystacks_own_words(self, serve, status):
        server = serve((status, no("Amount is not allowed to be less than KES 3", code="invalid_params")))
        with pytest.raises(paystack.PaystackRefusedError) as raised:
            give_back()
        assert raised.value.message == "Amount is not allowed to be less than KES 3"
        assert (raised.value.status, raised.value.code) == (status, "invalid_params")
        assert len(server.asked) == 1

    def test_a_refusal_with_status_200_is_one(self, serve):
        serve(no("Not this time"))
        with pytest.raises(paystack.PaystackRefusedError):
            give_back()

    @pytest.mark.parametrize(
        ("status", "answer"),
        [
            (404, no("Transaction not found")),
            (400, no("Transaction reference not found.", code="transaction_not_found")),
            (400, no("Transaction reference not found")),
        ],
    )
    def test_what_paystack_does_not_know_is_not_found(self, serve, status, answer):
        server = serve((status, answer))
        with pytest.raises(paystack.NotFoundError):
            paystack.verify(reference="fg-1")
        assert len(server.asked) == 1  # an answer is not asked for again

    @pytest.mark.parametrize(
        "data",
        [None, [], {}, PAID | {"amount": None}, PAID | {"amount": "a lot"}, PAID | {"amount": True}]
        + [{name: value for name, value in PAID.items() if name != gone} for gone in ("status", "currency")],
    )
    def test_an_answer_without_what_matters_is_none(self, serve, data):
        serve(ok(data))
        with pytest.raises(paystack.OutcomeUnknownError):
            paystack.verify(reference="fg-1")

    @pytest.mark.parametrize(
        "trick", [Trick.HANG, Trick.CUT, Trick.HTML, Trick.ECHO], ids=lambda trick: trick.name
    )
    def test_the_secret_is_nowhere_in_the_error_or_its_frames(self, serve, trick):
        serve(trick)
        with pytest.raises(paystack.PaystackError) as raised:
            give_back()
        told = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
        assert KEY not in "".join(told.format())
        assert raised.value.__context__ is None

    def test_the_secret_is_in_no_line_of_a_log(self, serve, caplog):
        caplog.set_level("DEBUG")
        serve(ok(REFUND))
        give_back()
        assert KEY not in caplog.text


class TestReading:
    @pytest.mark.parametrize("value", [None, 0, "", "null", "[1]", "no JSON", [], False])
    def test_metadata_of_no_use_is_empty(self, value):
        assert read_metadata(value) == {}

    @pytest.mark.parametrize("value", [{"a": 1}, '{"a": 1}'])
    def test_metadata_is_an_object_or_its_text(self, value):
        assert read_metadata(value) == {"a": 1}

    def test_a_refund_event_has_no_id_and_its_amount_as_text(self):
        state = read_refund(
            {
                "status": "processed",
                "transaction_reference": "fg-1",
                "refund_reference": None,
                "amount": "5000",
                "currency": "KES",
            }
        )
        assert (state.id, state.transaction_reference, state.amount) == ("", "fg-1", 5000)

    def test_what_is_for_the_curious_fails_no_payment(self):
        read = read_transaction(PAID | {"paid_at": "yesterday", "fees": 1.5, "channel": None, "customer": 7})
        assert (read.paid_at, read.fees, read.channel, read.customer_email) == (None, None, "", "")

    @pytest.mark.parametrize("amount", [-1, 1.5, "1.5", "-1", 10**18, "१२", [], {}])
    def test_an_amount_is_whole_and_not_below_zero(self, amount):
        with pytest.raises(UnreadableError):
            read_transaction(PAID | {"amount": amount})

    @pytest.mark.parametrize(
        "changed",
        [
            {"metadata": 0, "fees": None},
            {"metadata": "", "fees": 0, "plan": {}, "split": {}},
            {"paid_at": None, "paidAt": "2018-11-15T06:10:54.000Z", "metadata": None},
            {"amount": "40000", "requested_amount": "40000"},
            {"id": "2009945086", "ip_address": None, "log": None},
        ],
    )
    def test_it_reads_a_charge_in_every_form_that_is_documented(self, changed):
        read = read_transaction(PAID | changed)
        assert (read.id, read.status, read.amount, read.requested_amount) == (
            "2009945086",
            "success",
            40_000,
            40_000,
        )
        assert read.paid_at is not None

    def test_older_charges_say_nothing_of_what_was_requested(self):
        assert (
            read_transaction({n: v for n, v in PAID.items() if n != "requested_amount"}).requested_amount
            is None
        )


class TestSignature:
    BODY = b'{"event": "charge.success"}'

    def sign(self, key, body=BODY):
        return hmac.new(key.encode(), body, hashlib.sha512).hexdigest()

    def test_it_is_valid_by_the_key_or_the_one_before(self):
        for key in ("new", "old"):
            assert paystack.signature_is_valid(body=self.BODY, header=self.sign(key), keys=["new", "old"])

    @pytest.mark.parametrize("header", [None, "", "x", "\xe9" * 128, "\udce9", "0" * 128, "日本"])
    def test_anything_else_is_invalid_and_no_error(self, header):
        assert not paystack.signature_is_valid(body=self.BODY, header=header, keys=["new", "old"])

    def test_one_byte_makes_it_invalid(self):
        header = self.sign("new")
        assert not paystack.signature_is_valid(body=self.BODY + b" ", header=header, keys=["new"])

    def test_an_empty_key_signs_nothing(self):
        assert not paystack.signature_is_valid(body=self.BODY, header=self.sign(""), keys=["", "new"])
        assert not paystack.signature_is_valid(body=self.BODY, header=self.sign("new"), keys=[])
