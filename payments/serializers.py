"""What the API says of money, on every floor."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from payments.models import Package
from payments.money import exponent_of, format_amount


def amount_row(unit: str, amount: int) -> dict[str, Any]:
    """One amount as `AmountSerializer` describes it."""
    return {
        "unit": unit,
        "amount": amount,
        "decimals": exponent_of(unit),
        "text": format_amount(amount, unit),
    }


class AmountSerializer(serializers.Serializer[Any]):
    """An amount: whole minor units, their unit, and how many decimals a person writes it with."""

    unit = serializers.CharField(help_text="A currency (ISO 4217), CREDIT, POINT or a token.")
    amount = serializers.IntegerField(help_text="Minor units: 125000 of KES are 1,250.00.")
    decimals = serializers.IntegerField()
    text = serializers.CharField(help_text="As a person reads it.")


class PackageSerializer(serializers.ModelSerializer[Package]):
    """Credits at a price, as everyone may see it."""

    package_id = serializers.UUIDField(source="public_id")
    price = serializers.SerializerMethodField()

    class Meta:
        model = Package
        fields = ("package_id", "title", "credits", "price")

    @extend_schema_field(AmountSerializer)
    def get_price(self, package: Package) -> dict[str, Any]:
        return amount_row(package.currency, package.price)
