"""Each setting of Paystack has a check that says what to do."""

import pytest

from payments.checks import check_paying, check_paystack

TEST, LIVE = "sk_test_" + "0" * 40, "sk_live_" + "0" * 40
PLAIN = {
    "PAYSTACK_STANDIN": False,
    "PAYSTACK_SECRET_KEY": LIVE,
    "PAYSTACK_OLD_SECRET_KEY": "",
    "PAYSTACK_BASE_URL": "https://api.paystack.co",
    "PAYSTACK_TIMEOUT_S": 10.0,
    "PAYMENTS_WEBHOOK_BODY_DAYS": 90,
    "DEBUG": False,
}


@pytest.mark.parametrize(
    ("changed", "numbers"),
    [
        ({}, []),
        ({"PAYSTACK_SECRET_KEY": ""}, []),
        ({"PAYSTACK_SECRET_KEY": "pk_live_" + "0" * 40}, ["E003"]),
        ({"PAYSTACK_SECRET_KEY": LIVE + "\n"}, ["E003"]),
        ({"PAYSTACK_OLD_SECRET_KEY": "old"}, ["E003", "E005"]),
        ({"PAYSTACK_OLD_SECRET_KEY": TEST}, ["E005"]),
        ({"PAYSTACK_OLD_SECRET_KEY": "sk_live_" + "1" * 40}, []),
        ({"DEBUG": True}, ["E004"]),
        ({"DEBUG": True, "PAYSTACK_SECRET_KEY": TEST}, []),
        ({"PAYSTACK_BASE_URL": "http://api.paystack.co"}, ["E006"]),
        ({"PAYSTACK_BASE_URL": "api.paystack.co"}, ["E006"]),
        ({"PAYSTACK_BASE_URL": "https://api.paystack.co/?x=1"}, ["E006"]),
        ({"PAYSTACK_BASE_URL": "http://127.0.0.1:8001/standin/paystack"}, []),
        ({"PAYSTACK_BASE_URL": "http://demo.example/standin/paystack", "PAYSTACK_STANDIN": True}, []),
        ({"PAYSTACK_TIMEOUT_S": 0.0}, ["E007"]),
        ({"PAYSTACK_TIMEOUT_S": 900.0}, ["E007"]),
        ({"PAYMENTS_WEBHOOK_BODY_DAYS": 0}, ["E008"]),
        ({"PAYMENTS_WEBHOOK_BODY_DAYS": 1}, []),
    ],
)
def test_what_can_not_work_is_an_error(settings, changed, numbers):
    for name, value in (PLAIN | changed).items():
        setattr(settings, name, value)
    assert [found.id for found in check_paystack()] == [f"payments.{number}" for number in numbers]


@pytest.mark.parametrize(
    ("key", "embedded", "numbers"),
    [(LIVE, False, []), ("", False, ["W001"]), (TEST, False, ["W002"]), (TEST, True, [])],
)
def test_a_site_at_which_nobody_really_pays_is_warned_of(settings, key, embedded, numbers):
    settings.PAYSTACK_SECRET_KEY, settings.EMBEDDED = key, embedded
    assert [found.id for found in check_paying()] == [f"payments.{number}" for number in numbers]


def test_the_settings_of_the_tests_pass():
    assert check_paystack() == []
