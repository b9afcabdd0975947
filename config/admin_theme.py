"""The admin in our colours: settings of django-unfold. Its home page is filled by `config.dashboard`."""

from typing import Any

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Fairground",
    "SITE_HEADER": "Fairground",
    "SITE_SYMBOL": "confirmation_number",
    "SHOW_HISTORY": False,
    "DASHBOARD_CALLBACK": "config.dashboard.admin_home",
    "COLORS": {
        "primary": {
            "50": "240 253 250",
            "100": "204 251 241",
            "200": "153 246 228",
            "300": "94 234 212",
            "400": "45 212 191",
            "500": "20 184 166",
            "600": "13 148 136",
            "700": "15 118 110",
            "800": "17 94 89",
            "900": "19 78 74",
            "950": "4 47 46",
        }
    },
}
