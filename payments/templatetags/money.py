"""Amounts in templates: `{{ amount|money:unit }}`."""

from django import template

from payments.money import format_amount, unit_label

register = template.Library()


@register.filter
def money(amount: int | None, unit: str) -> str:
    """`KES 1,250.00`; nothing for None (a balance that is not kept)."""
    return "" if amount is None else format_amount(amount, unit)


@register.filter
def signed_money(amount: int, unit: str) -> str:
    """`+KES 1,250.00`, `−5 credits`: an amount as it moves a balance."""
    return ("+" if amount > 0 else "") + format_amount(amount, unit)


register.filter("unit_label", unit_label)
