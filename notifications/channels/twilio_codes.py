"""What Twilio's error codes and states mean for us: twilio.com/docs/api/errors. Pure."""

from notifications.channels.seam import Happened

STOPPED = 21610
"""Its owner answered STOP."""

# The number takes no message by this road, now or ever.
_DEAD_NUMBERS = frozenset(
    {
        21211,  # is no number
        21217,  # does not appear to be valid
        21407,  # can't receive SMS
        21614,  # is no mobile number
        30005,  # unknown handset
        30006,  # a landline, or a carrier that can't be reached
        63003,  # WhatsApp does not know it
        63024,  # is no recipient of WhatsApp
    }
)
# Our side is set up wrongly, closed or over its limits: the same for all recipients, none of whom should be given up.
_OURS = frozenset(
    {
        14107,  # too many messages a second
        20003,  # wrong account or token
        20005,  # the account is closed
        20006,  # no access
        20404,  # no such account
        20429,  # too many requests
        21212,  # From is no number
        21603,  # no sender
        21606,  # From is not ours or sends no SMS
        21611,  # the sender's queue is full
        21659,  # From is no number of Twilio's
        21660,  # From is another account's
        21701,  # no such messaging service
        21703,  # the messaging service has no sender
        21704,  # the messaging service sends nothing
        21705,  # no messaging service
        30001,  # queue overflow
        30002,  # the account is suspended
        30022,  # over the rate of the campaign
        63007,  # WhatsApp does not know our sender
        63018,  # over WhatsApp's rate
        63038,  # over the day's limit of the account
    }
)
_STATES = {
    "accepted": Happened.ACCEPTED,
    "scheduled": Happened.ACCEPTED,
    "queued": Happened.ACCEPTED,
    "sending": Happened.ACCEPTED,
    "sent": Happened.ACCEPTED,
    "delivered": Happened.DELIVERED,
    "partially_delivered": Happened.DELIVERED,
    "read": Happened.OPENED,
    "undelivered": Happened.FAILED,
    "failed": Happened.FAILED,
    "canceled": Happened.FAILED,
}


def is_dead_number(code: int) -> bool:
    """Whether nothing will ever arrive there."""
    return code in _DEAD_NUMBERS


def is_ours(code: int) -> bool:
    """Whether it says nothing about the recipient."""
    return code in _OURS


def happened(state: str, code: int) -> Happened | None:
    """What a message's state says of it, with its error code or 0. None for a word that is none of Twilio's."""
    found = _STATES.get(state)
    return Happened.BOUNCED if found is Happened.FAILED and is_dead_number(code) else found
