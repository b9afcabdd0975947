"""The `payments` app."""

from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    """Ledger, wallets, pools and payments."""

    name = "payments"
