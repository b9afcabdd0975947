"""What every page knows of the inbox."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from notifications.services.inbox import badge_of
from notifications.services.proving import is_offered


def inbox(request: HttpRequest) -> dict[str, Any]:
    """`inbox_unread`: what the badge says, "" for nothing unread; asked for only by pages that show it. `sends_texts`:
    whether the site sends SMS."""

    def unread() -> str:
        user = getattr(request, "user", None)
        return badge_of(member_id=user.pk, now=timezone.now()) if user and user.is_authenticated else ""

    return {"inbox_unread": SimpleLazyObject(unread), "sends_texts": is_offered()}
