"""What every page's template knows of the site."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, Any]:
    """Name of the site, and whether it is an embedded demo (shown in a banner)."""
    return {"site_name": settings.SITE_NAME, "embedded": settings.EMBEDDED}
