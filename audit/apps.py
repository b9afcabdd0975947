"""The `audit` app."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """The tamper-evident trail of who did what."""

    name = "audit"
    verbose_name = "Audit trail"
