"""Amounts as people read and write them. Pure rules: integers of minor units in, text out, and back.

A unit is a currency of ISO 4217, `CREDIT`, `POINT`, or a token of the site's own; tokens have no decimals.
"""

import re

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

LARGEST_AMOUNT = 2**53 - 1
"""Minor units in one amount: what JSON, and so JavaScript, still holds exactly."""

_EXPONENTS = {
    "KES": 2,
    "BDT": 2,
    "CAD": 2,
    "USD": 2,
    "EUR": 2,
    "GBP": 2,
    "NGN": 2,
    "TZS": 2,
    "UGX": 0,
    "JPY": 0,
}
CURRENCIES = tuple(_EXPONENTS)
"""Currencies that prizes and prices may be in."""

_PLAIN = re.compile(r"(?P<whole>[0-9]+)(?:\.(?P<part>[0-9]+))?")
# One kind of space or the comma between groups of three; `1,25` is refused rather than read as 125.
_GROUPED = re.compile(
    r"[0-9]{1,3}(?P<comma>[,\u0020\u00a0\u202f])[0-9]{3}(?:(?P=comma)[0-9]{3})*(?:\.[0-9]+)?"
)


class AmountError(ValueError):
    """The text is no amount of the unit. The message is a sentence that says how to write one."""


def exponent_of(unit: str) -> int:
    """How many decimals the unit has; 0 for credits, points and tokens."""
    return _EXPONENTS.get(unit, 0)


def unit_label(unit: str) -> str:
    """How a unit is headed on its own: `KES`, `Credits`."""
    return {"CREDIT": _("Credits"), "POINT": _("Points")}.get(unit, unit)


def format_amount(amount: int, unit: str) -> str:
    """`KES 1,250.00`, `−KES 3.50`, `1,200 credits`, `7 GEM`. `amount` is minor units of `unit`."""
    sign, number = "−" if amount < 0 else "", _number(abs(amount), unit, separator=",")
    if unit == "CREDIT":
        return sign + ngettext("%(number)s credit", "%(number)s credits", abs(amount)) % {"number": number}
    if unit == "POINT":
        return sign + ngettext("%(number)s point", "%(number)s points", abs(amount)) % {"number": number}
    return f"{sign}{unit} {number}" if unit in _EXPONENTS else f"{sign}{number} {unit}"


def plain_amount(amount: int, unit: str) -> str:
    """`-1250.00`: for machines and spreadsheets, without unit and separators."""
    return ("-" if amount < 0 else "") + _number(abs(amount), unit, separator="")


def parse_amount(text: str, unit: str) -> int:
    """Minor units of an amount above zero as a person writes it: `1250`, `1,250.5`, `KES 1 250.00`.

    Raises `AmountError`.
    """
    written = re.sub(rf"^{re.escape(unit)}\s*|\s*{re.escape(unit)}$", "", text.strip(), flags=re.IGNORECASE)
    if grouped := _GROUPED.fullmatch(written):
        written = written.replace(grouped["comma"], "")
    match, digits = _PLAIN.fullmatch(written), exponent_of(unit)
    if match is None:
        raise AmountError(_("Write the amount in digits, like %(example)s.") % {"example": _example(digits)})
    part = match["part"] or ""
    if len(part) > digits:
        allowed = ngettext("%(digits)s decimal", "%(digits)s decimals", digits) % {"digits": digits}
        raise AmountError(
            _("%(unit)s has at most %(allowed)s: write it like %(example)s.")
            % {"unit": unit_label(unit), "allowed": allowed, "example": _example(digits)}
            if digits
            else _("%(unit)s can't be divided: write a whole number.") % {"unit": unit_label(unit)}
        )
    if (
        len(match["whole"].lstrip("0")) > 16
        or (amount := int(match["whole"] + part.ljust(digits, "0"))) > LARGEST_AMOUNT
    ):
        most = format_amount(LARGEST_AMOUNT, unit)
        raise AmountError(_("That is too much: the largest amount is %(most)s.") % {"most": most})
    if amount == 0:
        raise AmountError(_("The amount must be above zero."))
    return amount


def _number(amount: int, unit: str, *, separator: str) -> str:
    digits = exponent_of(unit)
    whole, part = divmod(amount, 10**digits)
    return f"{whole:{separator}}" + (f".{part:0{digits}d}" if digits else "")


def _example(digits: int) -> str:
    return "1,250.00" if digits == 2 else "1,250"
