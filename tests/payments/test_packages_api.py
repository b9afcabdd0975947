"""What is on sale, for programs: `GET /api/packages/`."""

import pytest
from django.test import Client

from tests.api.keys import bearer
from tests.factories import alice
from tests.payments.shop import make_package

pytestmark = pytest.mark.django_db
URL = "/api/packages/"


def titles(query: str = "") -> list[str]:
    answer = Client().get(f"{URL}{query}")
    assert answer.status_code == 200
    return [one["title"] for one in answer.json()["results"]]


def test_everyone_reads_what_is_on_sale_with_its_price_in_minor_units():
    package = make_package()
    told = Client().get(URL).json()
    assert told == {
        "count": 1,
        "next": None,
        "previous": None,
        "results": [
            {
                "package_id": str(package.public_id),
                "title": "Fifty credits",
                "credits": 50,
                "price": {"unit": "KES", "amount": 40_000, "decimals": 2, "text": "KES 400.00"},
            }
        ],
    }


def test_a_currency_without_cents_says_so():
    make_package(currency="JPY", price=500)
    price = Client().get(URL).json()["results"][0]["price"]
    assert (price["amount"], price["decimals"]) == (500, 0)


def test_what_is_off_sale_is_not_there_and_the_order_is_that_of_the_site():
    make_package(title="Large", position=2)
    make_package(title="Small", position=1)
    make_package(title="Old", is_active=False)
    assert titles() == ["Small", "Large"]


def test_one_currency_can_be_asked_for():
    make_package(title="Shillings")
    make_package(title="Dollars", currency="CAD", price=700)
    assert titles("?currency=CAD") == ["Dollars"]
    assert titles("?currency=EUR") == []


@pytest.mark.parametrize("query", ["?currency=XXX", "?currency=", "?colour=red"])
def test_what_makes_no_sense_is_refused(query):
    answer = Client().get(f"{URL}{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")


def test_it_comes_in_pages_and_without_the_slash_and_in_two_queries(django_assert_num_queries):
    for number in range(3):
        make_package(title=str(number), position=number)
    with django_assert_num_queries(2):
        told = Client().get("/api/packages?page=2&page_size=2").json()
    assert (told["count"], [one["title"] for one in told["results"]]) == (3, ["2"])


def test_nothing_can_be_sent_to_it():
    client = Client()
    client.force_login(alice())
    assert client.post(URL, {}, content_type="application/json").status_code == 405


def test_a_key_that_is_none_is_refused_here_as_well():
    answer = Client(headers=bearer("fg_nonsense")).get(URL)
    assert (answer.status_code, answer.json()["code"]) == (401, "key_invalid")
