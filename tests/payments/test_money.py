"""Amounts as people read and write them."""

import pytest
from django.template import Context, Template
from hypothesis import given
from hypothesis import strategies as st

from payments.money import LARGEST_AMOUNT, AmountError, exponent_of, format_amount, parse_amount, plain_amount


@pytest.mark.parametrize(
    ("amount", "unit", "text"),
    [
        (125_000, "KES", "KES 1,250.00"),
        (5, "BDT", "BDT 0.05"),
        (-350, "USD", "−USD 3.50"),
        (0, "EUR", "EUR 0.00"),
        (1_250, "JPY", "JPY 1,250"),
        (1_200, "CREDIT", "1,200 credits"),
        (1, "CREDIT", "1 credit"),
        (-1, "CREDIT", "−1 credit"),
        (0, "POINT", "0 points"),
        (1_500, "GEM", "1,500 GEM"),
        (123_456_789_012, "GBP", "GBP 1,234,567,890.12"),
    ],
)
def test_it_writes_an_amount(amount: int, unit: str, text: str) -> None:
    assert format_amount(amount, unit) == text


@pytest.mark.parametrize(
    ("text", "unit", "amount"),
    [
        ("1250", "KES", 125_000),
        ("1,250.00", "KES", 125_000),
        (" 1 250.5 ", "KES", 125_050),
        ("1\u00a0250\u00a0000", "KES", 125_000_000),
        ("KES 1,250", "KES", 125_000),
        ("1,250 kes", "KES", 125_000),
        ("0.07", "BDT", 7),
        ("007", "JPY", 7),
        ("12", "CREDIT", 12),
        ("12", "GEM", 12),
        ("90071992547409.91", "KES", LARGEST_AMOUNT),
    ],
)
def test_it_reads_an_amount(text: str, unit: str, amount: int) -> None:
    assert parse_amount(text, unit) == amount


@pytest.mark.parametrize(
    ("text", "unit", "says"),
    [
        ("", "KES", "like 1,250.00"),
        ("abc", "KES", "in digits"),
        ("1,25", "KES", "in digits"),
        ("1,2500", "KES", "in digits"),
        ("1.250,00", "KES", "in digits"),
        ("1,250 000", "KES", "in digits"),
        ("-5", "KES", "in digits"),
        ("+5", "KES", "in digits"),
        ("1e3", "KES", "in digits"),
        ("NaN", "KES", "in digits"),
        ("0x10", "KES", "in digits"),
        ("১২", "BDT", "in digits"),
        ("²", "BDT", "in digits"),
        ("5.", "KES", "in digits"),
        (".5", "KES", "in digits"),
        ("USD 5", "KES", "in digits"),
        ("1.005", "KES", "KES has at most 2 decimals"),
        ("1.5", "CREDIT", "Credits can't be divided"),
        ("0", "KES", "above zero"),
        ("0.00", "KES", "above zero"),
        ("90071992547409.92", "KES", "the largest amount is KES 90,071,992,547,409.91"),
        ("9" * 5_000, "KES", "too much"),
    ],
)
def test_it_refuses_what_is_no_amount_and_says_how_to_write_one(text: str, unit: str, says: str) -> None:
    with pytest.raises(AmountError, match=says):
        parse_amount(text, unit)


@given(st.integers(1, LARGEST_AMOUNT), st.sampled_from(["KES", "JPY", "CREDIT", "POINT", "GEM"]))
def test_what_is_written_is_read_as_the_same(amount: int, unit: str) -> None:
    assert parse_amount(plain_amount(amount, unit), unit) == amount
    words = format_amount(amount, unit).removesuffix("s").removesuffix(" credit").removesuffix(" point")
    assert parse_amount(words, unit) == amount


def test_every_unit_has_its_decimals() -> None:
    assert [exponent_of(unit) for unit in ("KES", "BDT", "CAD", "USD", "EUR", "GBP")] == [2] * 6
    assert [exponent_of(unit) for unit in ("JPY", "CREDIT", "POINT", "GEM")] == [0] * 4


def test_templates_write_amounts() -> None:
    template = Template(
        "{% load money %}{{ amount|money:unit }} {{ amount|signed_money:unit }} [{{ none|money:unit }}]"
    )
    text = template.render(Context({"amount": 5_000, "unit": "KES", "none": None}))
    assert text == "KES 50.00 +KES 50.00 []"
