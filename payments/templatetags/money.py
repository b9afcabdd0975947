"""Amounts in templates."""

from django import template

from payments.money import format_amount

register = template.Library()


@register.filter
def money(amount: int, unit: str) -> str:
    """`{{ 5000000|money:"KES" }}`: minor units of a unit as people read them, `KES 50,000.00`."""
    return format_amount(amount, unit)
