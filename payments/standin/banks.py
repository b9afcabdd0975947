"""A few banks and mobile moneys of each currency, under the codes that Paystack has for them."""

from collections.abc import Mapping

_ROWS = (
    ("M-PESA", "MPESA", "mobile_money", "KES", "Kenya"),
    ("Airtel Kenya", "ATL_KE", "mobile_money", "KES", "Kenya"),
    ("KCB Bank Kenya", "01", "kepss", "KES", "Kenya"),
    ("Absa Bank Kenya", "03", "kepss", "KES", "Kenya"),
    ("Co-operative Bank of Kenya", "11", "kepss", "KES", "Kenya"),
    ("Equity Bank Kenya", "68", "kepss", "KES", "Kenya"),
    ("Access Bank", "044", "nuban", "NGN", "Nigeria"),
    ("Guaranty Trust Bank", "058", "nuban", "NGN", "Nigeria"),
    ("Zenith Bank", "057", "nuban", "NGN", "Nigeria"),
    ("MTN", "MTN", "mobile_money", "GHS", "Ghana"),
    ("GCB Bank", "040100", "ghipss", "GHS", "Ghana"),
    ("Absa Bank South Africa", "632005", "basa", "ZAR", "South Africa"),
)
BANKS: tuple[Mapping[str, str], ...] = tuple(
    dict(zip(("name", "code", "type", "currency", "country"), row, strict=True)) for row in _ROWS
)


def bank_name(code: str, currency: str) -> str:
    """Its name, "" when there is none."""
    return next((bank["name"] for bank in BANKS if (bank["code"], bank["currency"]) == (code, currency)), "")
