"""The `standin` app."""

from django.apps import AppConfig


class StandinConfig(AppConfig):
    """Paystack's place, on sites without its key."""

    name = "payments.standin"
    label = "standin"
    verbose_name = "stand-in of Paystack"
