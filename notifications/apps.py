"""The `notifications` app."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Messages to people: outbox, channels, inbox, live updates."""

    name = "notifications"
