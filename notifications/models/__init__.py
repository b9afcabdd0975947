"""Tables of notifications: the outbox, and what people want to be told."""

from notifications.models.consent import (
    ConsentEvent,
    Correspondent,
    Preference,
    Stop,
    Suppression,
    SuppressionReason,
    What,
)
from notifications.models.devices import PushDevice
from notifications.models.endpoints import Endpoint
from notifications.models.events import DeliveryEvent, Happening
from notifications.models.outbox import (
    DEAD_LETTERS,
    WAITING,
    Delivery,
    DeliveryQuerySet,
    Message,
    MessageQuerySet,
    SkipReason,
    State,
)

__all__ = [
    "DEAD_LETTERS",
    "WAITING",
    "ConsentEvent",
    "Correspondent",
    "Delivery",
    "DeliveryEvent",
    "DeliveryQuerySet",
    "Endpoint",
    "Happening",
    "Message",
    "MessageQuerySet",
    "Preference",
    "PushDevice",
    "SkipReason",
    "State",
    "Stop",
    "Suppression",
    "SuppressionReason",
    "What",
]
