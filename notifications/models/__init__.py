"""Tables of notifications: the outbox, and what people want to be told."""

from notifications.models.broadcasts import (
    Broadcast,
    BroadcastState,
    Segment,
    Sequence,
    SequenceStep,
    SequenceTurn,
)
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
from notifications.models.events import DeliveryEvent, DeliveryEventQuerySet, Happening
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
from notifications.models.phones import PhoneAnswer, PhoneCode
from notifications.models.words import TemplateOverride, TemplateVersion

__all__ = [
    "DEAD_LETTERS",
    "WAITING",
    "Broadcast",
    "BroadcastState",
    "ConsentEvent",
    "Correspondent",
    "Delivery",
    "DeliveryEvent",
    "DeliveryEventQuerySet",
    "DeliveryQuerySet",
    "Endpoint",
    "Happening",
    "Message",
    "MessageQuerySet",
    "PhoneAnswer",
    "PhoneCode",
    "Preference",
    "PushDevice",
    "Segment",
    "Sequence",
    "SequenceStep",
    "SequenceTurn",
    "SkipReason",
    "State",
    "Stop",
    "Suppression",
    "SuppressionReason",
    "TemplateOverride",
    "TemplateVersion",
    "What",
]
