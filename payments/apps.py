"""The `payments` app."""

from django.apps import AppConfig
from django.core import checks

from payments.checks import check_paying, check_paystack, check_settings


class PaymentsConfig(AppConfig):
    """Ledger, wallets, pools and payments."""

    name = "payments"

    def ready(self) -> None:
        # Models exist only now.
        from payments.adjustments import WALLET_ADJUSTMENT  # noqa: PLC0415
        from payments.approvable import register_approvable  # noqa: PLC0415
        from payments.kinds import register_kinds  # noqa: PLC0415
        from payments.packages import PACKAGE  # noqa: PLC0415
        from payments.purchasables import register_purchasable  # noqa: PLC0415
        from payments.scopes import register_scopes  # noqa: PLC0415
        from payments.services.refunding import PAYMENT_REFUND  # noqa: PLC0415
        from payments.services.withdrawing import (  # noqa: PLC0415
            WITHDRAWAL_APPROVAL,
            WITHDRAWAL_BY_HAND,
        )

        checks.register(check_settings)
        checks.register(check_paystack)
        checks.register(check_paying, deploy=True)
        register_approvable(WALLET_ADJUSTMENT)
        register_approvable(PAYMENT_REFUND)
        register_approvable(WITHDRAWAL_APPROVAL)
        register_approvable(WITHDRAWAL_BY_HAND)
        register_purchasable(PACKAGE)
        register_kinds()
        register_scopes()
