"""What an API key may be allowed to do with payments."""

from django.utils.translation import gettext_lazy as _

from accounts.scopes import Scope, register

PAYMENTS_RECONCILE = "payments:reconcile"

SCOPES = (
    Scope(
        PAYMENTS_RECONCILE,
        _("Ask Paystack about payments, and settle those that were paid"),
        permission="payments.manage_payments",
    ),
)


def register_scopes() -> None:
    """Called once the apps are loaded."""
    register(SCOPES)
