"""What every page's template knows of the site."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, Any]:
    """Name of the site, whether it is an embedded demo and whether staff need a second factor (banners say both)."""
    return {
        "site_name": settings.SITE_NAME,
        "embedded": settings.EMBEDDED,
        "second_factor_required": settings.STAFF_SECOND_FACTOR,
    }
