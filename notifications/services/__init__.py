"""The verbs of the outbox. Other apps call `notify`; the sweep, the admin and the command call the rest."""

from notifications.recipients import Recipient
from notifications.services.deliveries import cancel_deliveries, retry_deliveries
from notifications.services.events import Event, record_events
from notifications.services.expansion import expand_due_messages
from notifications.services.exporting import ExportedMail, export_mails, messages_to_come
from notifications.services.leases import expire_leases
from notifications.services.messages import (
    IdempotencyError,
    IrrevocableError,
    cancel_message,
    cancel_messages_about,
    notify,
)
from notifications.services.processing import Processed, process_notifications
from notifications.services.results import Tally
from notifications.services.sending import send_due_deliveries
from notifications.services.unknown import resolve_unknown
from notifications.services.waking import wake
from notifications.variables import ContextError

__all__ = [
    "ContextError",
    "Event",
    "ExportedMail",
    "IdempotencyError",
    "IrrevocableError",
    "Processed",
    "Recipient",
    "Tally",
    "cancel_deliveries",
    "cancel_message",
    "cancel_messages_about",
    "expand_due_messages",
    "expire_leases",
    "export_mails",
    "messages_to_come",
    "notify",
    "process_notifications",
    "record_events",
    "resolve_unknown",
    "retry_deliveries",
    "send_due_deliveries",
    "wake",
]
