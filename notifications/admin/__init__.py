"""The outbox in the admin, what people want to be told, and the words they are told in."""

from notifications.admin.audiences import AudienceAdmin
from notifications.admin.broadcasts import BroadcastAdmin
from notifications.admin.consent import ConsentEventAdmin, PreferenceAdmin, StopAdmin, SuppressionAdmin
from notifications.admin.endpoints import EndpointAdmin
from notifications.admin.outbox import DeliveryAdmin, MessageAdmin
from notifications.admin.sequences import SequenceAdmin
from notifications.admin.wordings import WordingAdmin

__all__ = [
    "AudienceAdmin",
    "BroadcastAdmin",
    "ConsentEventAdmin",
    "DeliveryAdmin",
    "EndpointAdmin",
    "MessageAdmin",
    "PreferenceAdmin",
    "SequenceAdmin",
    "StopAdmin",
    "SuppressionAdmin",
    "WordingAdmin",
]
