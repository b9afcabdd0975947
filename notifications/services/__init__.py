"""The verbs of the outbox. Other apps call `notify`; the sweep, the admin and the command call the rest."""

from notifications.services.expansion import expand_due_messages
from notifications.services.messages import IdempotencyError, cancel_message, notify
from notifications.services.waking import wake
from notifications.variables import ContextError

__all__ = [
    "ContextError",
    "IdempotencyError",
    "cancel_message",
    "expand_due_messages",
    "notify",
    "wake",
]
