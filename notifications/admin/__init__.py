"""The outbox in the admin."""

from notifications.admin.outbox import DeliveryAdmin, MessageAdmin

__all__ = ["DeliveryAdmin", "MessageAdmin"]
