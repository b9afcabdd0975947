"""The `accounts` app."""

from django.apps import AppConfig
from django.core import checks

from accounts.checks import check_fresh_sign_in, check_sign_in


class AccountsConfig(AppConfig):
    """Who people are: user, roles, sign-in."""

    name = "accounts"
    verbose_name = "People"

    def ready(self) -> None:
        checks.register(check_fresh_sign_in, checks.Tags.security)
        checks.register(check_sign_in, checks.Tags.security)
