"""Live topics of the inbox, and telling open pages that something arrived."""

from collections.abc import Iterable
from uuid import UUID

from notifications.live import publish, publish_many

EVENT = "inbox"
EVERYBODY = "inbox:all"
SINGLE_LIMIT = 200  # people who are told one by one; a larger crowd hears it on one topic
SPREAD_SECONDS = 20  # over which their pages then ask how much is unread


def topics_of(member_public_id: UUID) -> list[str]:
    """What a member's pages listen to."""
    return [f"inbox:{member_public_id}", EVERYBODY]


def tell_members(public_ids: Iterable[UUID]) -> None:
    """Tell these members' pages that their inbox changed. Never raises."""
    publish_many([f"inbox:{public_id}" for public_id in public_ids], EVENT, {})


def tell_everybody() -> None:
    """Tell every member's pages that the inbox of many changed. Never raises."""
    publish(EVERYBODY, EVENT, {"spread": SPREAD_SECONDS})
