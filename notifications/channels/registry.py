"""Which channels this site sends by: `settings.NOTIFICATION_CHANNELS` names a class for each that is set up."""

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from notifications.channels.seam import Sender
from notifications.kinds import Channel


def sending_channels() -> list[Channel]:
    """The channels by which something can be sent here; the inbox is none of them, nothing is sent to it."""
    return [Channel(name) for name in settings.NOTIFICATION_CHANNELS]


def sender_class(channel: str) -> type[Sender]:
    """The class that speaks to the provider of `channel`. Raises KeyError where there is none."""
    return _load(settings.NOTIFICATION_CHANNELS[channel])


@cache
def _load(path: str) -> type[Sender]:
    loaded: type[Sender] = import_string(path)
    return loaded
