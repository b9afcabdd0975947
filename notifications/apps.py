"""The `notifications` app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class NotificationsConfig(AppConfig):
    """Messages to people: outbox, channels, inbox, live updates."""

    name = "notifications"
    verbose_name = _("Notifications")
