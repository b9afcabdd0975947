"""The `notifications` app."""

from django.apps import AppConfig
from django.core import checks
from django.utils.translation import gettext_lazy as _

from notifications.checks import check_push, check_quiet_hours, check_templates
from notifications.mailgun_checks import check_mailgun, check_mailgun_in_production


class NotificationsConfig(AppConfig):
    """Messages to people: outbox, channels, inbox, live updates."""

    name = "notifications"
    verbose_name = _("Notifications")

    def ready(self) -> None:
        from notifications import consent_kinds  # noqa: PLC0415  (models exist only now)

        checks.register(check_templates, checks.Tags.templates)
        checks.register(check_quiet_hours)
        checks.register(check_push)
        checks.register(check_mailgun)
        checks.register(check_mailgun_in_production, deploy=True)
        consent_kinds.register_kinds()
