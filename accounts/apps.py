"""The `accounts` app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Who people are: user, roles, sign-in."""

    name = "accounts"
    verbose_name = "People"
