"""Amounts as people read and write them. Pure rules: integers of minor units in, text out, and back."""

from django.utils.translation import gettext as _


class AmountError(ValueError):
    """The text is no amount of the unit. The message says how to write one."""


_EXPONENTS = {"KES": 2, "BDT": 2, "CAD": 2, "USD": 2, "EUR": 2, "GBP": 2, "NGN": 2, "TZS": 2, "UGX": 0, "JPY": 0}
_WORDS = {"CREDIT": "credits", "POINT": "points"}


def exponent_of(unit: str) -> int:
    """How many decimals the unit has; 0 for credits, points and tokens."""
    return _EXPONENTS.get(unit, 0)


def format_amount(amount: int, unit: str) -> str:
    """`KES 1,250.00`, `1,200 credits`. `amount` is minor units, and may be negative."""
    sign, digits = ("−" if amount < 0 else ""), exponent_of(unit)
    whole, rest = divmod(abs(amount), 10**digits)
    number = f"{whole:,}" + (f".{rest:0{digits}d}" if digits else "")
    return f"{sign}{number} {_WORDS[unit]}" if unit in _WORDS else f"{sign}{unit} {number}"


def parse_amount(text: str, unit: str) -> int:
    """Minor units of an amount above 0 written by a person, with commas or spaces between thousands.

    Raises `AmountError`.
    """
    digits = exponent_of(unit)
    whole, point, rest = text.strip().replace(",", "").replace(" ", "").partition(".")
    good = whole.isascii() and whole.isdigit() and (not point or (rest.isascii() and rest.isdigit()))
    if not good or len(rest) > digits or len(whole) > 15:
        example = "1,250.00" if digits else "1,250"
        raise AmountError(_("Write an amount like %(example)s.") % {"example": example})
    amount = int(whole) * 10**digits + int((rest or "0").ljust(digits, "0")) * (1 if digits else 0)
    if amount < 1:
        raise AmountError(_("The amount must be above zero."))
    return amount
