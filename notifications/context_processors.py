"""What every page knows of the inbox."""

from typing import Any

from django.http import HttpRequest


def inbox(request: HttpRequest) -> dict[str, Any]:
    """Filled by the outbox slice."""
    return {}
