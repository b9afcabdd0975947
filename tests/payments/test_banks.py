"""Paystack's list of banks: asked for once a day, and by every page where Redis is gone."""

import datetime as dt

import pytest

from payments import paystack
from payments.services import banks
from payments.services.banks import banks_for
from tests.factories import alice
from tests.payments.books import give

MPESA = paystack.Bank("M-PESA", "MPESA", "mobile_money")
EQUITY = paystack.Bank("Equity Bank", "68", "kepss")
NOW = dt.datetime(2026, 11, 25, 9, tzinfo=dt.UTC)


class Lists:
    """Paystack's side: lists by currency, how often it was asked, and an error while it has one."""

    def __init__(self):
        self.asked, self.lists, self.error = [], {"KES": [MPESA], "NGN": [EQUITY]}, None

    def list_banks(self, *, currency):
        self.asked.append(currency)
        if self.error:
            raise self.error
        return self.lists[currency]


@pytest.fixture
def there(monkeypatch):
    fake = Lists()
    monkeypatch.setattr(banks.paystack, "list_banks", fake.list_banks)
    return fake


@pytest.fixture
def without_redis(settings):
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}


def after(**span: float) -> dt.datetime:
    return NOW + dt.timedelta(**span)


def test_it_is_asked_for_once_a_day_by_currency(there):
    for hours in (0, 1, 23):
        assert banks_for(currency="KES", now=after(hours=hours)) == [MPESA]
    assert banks_for(currency="NGN", now=NOW) == [EQUITY]
    assert there.asked == ["KES", "NGN"]


def test_a_day_later_it_is_asked_for_anew(there):
    banks_for(currency="KES", now=NOW)
    there.lists["KES"] = [MPESA, EQUITY]
    assert banks_for(currency="KES", now=after(hours=25)) == [MPESA, EQUITY]
    assert banks_for(currency="KES", now=after(hours=26)) == [MPESA, EQUITY]
    assert there.asked == ["KES", "KES"]


def test_while_paystack_is_silent_that_of_yesterday_is_used(there):
    banks_for(currency="KES", now=NOW)
    there.error = paystack.OutcomeUnknownError("time is up")
    assert banks_for(currency="KES", now=after(hours=30)) == [MPESA]
    there.error = None
    banks_for(currency="KES", now=after(hours=30, minutes=1))
    assert there.asked == ["KES"] * 3, "asked again as soon as it answers"


@pytest.mark.parametrize(
    "error",
    [paystack.PaystackUnavailableError("no line"), paystack.PaystackRefusedError("no such", status=400)],
)
def test_with_nothing_kept_the_error_is_told_and_not_kept(there, error):
    there.error = error
    with pytest.raises(type(error)):
        banks_for(currency="KES", now=NOW)
    there.error = None
    assert banks_for(currency="KES", now=NOW) == [MPESA]


def test_a_refusal_is_not_covered_by_an_old_list(there):
    banks_for(currency="KES", now=NOW)
    there.error = paystack.PaystackRefusedError("Currency not supported", status=400)
    with pytest.raises(paystack.PaystackRefusedError):
        banks_for(currency="KES", now=after(days=2))


def test_an_empty_list_is_not_kept(there):
    there.lists["KES"] = []
    assert banks_for(currency="KES", now=NOW) == []
    there.lists["KES"] = [MPESA]
    assert banks_for(currency="KES", now=NOW) == [MPESA]


def test_lists_of_another_paystack_are_not_ours(there, settings):
    banks_for(currency="KES", now=NOW)
    settings.PAYSTACK_BASE_URL = "https://another.example"
    banks_for(currency="KES", now=NOW)
    assert there.asked == ["KES", "KES"]


def test_without_redis_paystack_is_asked_each_time(there, without_redis):
    for _time in range(2):
        assert banks_for(currency="KES", now=NOW) == [MPESA]
    assert there.asked == ["KES", "KES"]


@pytest.mark.django_db
def test_the_page_of_withdrawals_uses_it(client, there):
    give(alice(), 50_000)
    client.force_login(alice())
    for _time in range(2):
        assert "M-PESA" in client.get("/wallet/withdraw/").content.decode()
    assert there.asked == ["KES"]


@pytest.mark.django_db
def test_the_page_works_without_redis(client, there, without_redis):
    give(alice(), 50_000)
    client.force_login(alice())
    assert "M-PESA" in client.get("/wallet/withdraw/").content.decode()
