"""The `notifications` app."""

from django.apps import AppConfig
from django.core.checks import Tags, register
from django.utils.translation import gettext_lazy as _


class NotificationsConfig(AppConfig):
    """Messages to people: outbox, channels, inbox, live updates."""

    name = "notifications"
    verbose_name = _("Notifications")

    def ready(self) -> None:
        from notifications import (  # noqa: PLC0415  (models exist only now)
            broadcast_kinds,
            checks,
            consent_kinds,
            mailgun_checks,
            own_segments,
            wording_kinds,
        )

        register(checks.check_templates, Tags.templates)
        register(checks.check_quiet_hours)
        register(checks.check_push)
        register(mailgun_checks.check_mailgun)
        register(mailgun_checks.check_mailgun_in_production, deploy=True)
        consent_kinds.register_kinds()
        wording_kinds.register_kinds()
        broadcast_kinds.register_kinds()
        own_segments.register_rules()
