"""The admin in our colours: settings of django-unfold. Its home page is filled by `config.dashboard`."""

from typing import Any

from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Fairground",
    "SITE_HEADER": "Fairground",
    "SITE_SUBHEADER": _("Administration"),
    "SITE_ICON": lambda request: static("img/mark.svg"),
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("img/favicon.svg")}
    ],
    "SITE_URL": "/",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "ENVIRONMENT": "config.dashboard.environment",
    "DASHBOARD_CALLBACK": "config.dashboard.admin_home",
    "STYLES": [
        lambda request: static("css/admin.css"),
        lambda request: static("css/admin_lists.css"),
        lambda request: static("css/admin_mends.css"),
        lambda request: static("css/plots.css"),
    ],
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": False,
        "navigation": "config.sidebar.navigation",
    },
    # The site's raspberry ticket, from a wash to the deepest; 600 carries white text, 500 is read on the dark.
    "COLORS": {
        "primary": {
            "50": "#fff1f5",
            "100": "#fde2ea",
            "200": "#fbc6d7",
            "300": "#f798b6",
            "400": "#ff6a9c",
            "500": "#ec5590",
            "600": "#c81d5b",
            "700": "#a3124a",
            "800": "#85123f",
            "900": "#6c1438",
            "950": "#43081f",
        }
    },
}
