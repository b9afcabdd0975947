"""Our keys for Paystack: the one that we sign in with, and those that its webhooks may be signed with."""

from django.conf import settings


def webhook_keys() -> list[str]:
    """The key of today and, while keys are being changed, the one before it."""
    return [key for key in (settings.PAYSTACK_SECRET_KEY, settings.PAYSTACK_OLD_SECRET_KEY) if key]


def domain() -> str:
    """`live` or `test`: which of Paystack's two worlds our key belongs to."""
    return "live" if settings.PAYSTACK_SECRET_KEY.startswith("sk_live_") else "test"
