"""The outbox in the admin, and what people want to be told."""

from notifications.admin.consent import ConsentEventAdmin, PreferenceAdmin, StopAdmin, SuppressionAdmin
from notifications.admin.endpoints import EndpointAdmin
from notifications.admin.outbox import DeliveryAdmin, MessageAdmin

__all__ = [
    "ConsentEventAdmin",
    "DeliveryAdmin",
    "EndpointAdmin",
    "MessageAdmin",
    "PreferenceAdmin",
    "StopAdmin",
    "SuppressionAdmin",
]
