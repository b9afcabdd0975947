"""How Django REST framework and drf-spectacular behave here: part of the settings."""

from typing import Any

REST_FRAMEWORK: dict[str, Any] = {
    # The first one names the scheme of a 401.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.rest.KeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    # A view that says nothing is closed to visitors.
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.rest.PersonThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.api.SmallJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "config.api.Pages",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "config.api.answer_problem",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Fairground",
    "VERSION": "1",
    "DESCRIPTION": (
        "Draws that anyone can check. Sign in with a personal key (`Authorization: Bearer fg_…`, made at "
        "`/accounts/api-keys/`) or with the session of the site and its CSRF token. Addresses work with and without the "
        "slash at the end. Amounts are whole minor units with their unit; times are ISO 8601. Whatever goes wrong is "
        "answered as problem JSON (RFC 9457) with a stable `code`."
    ),
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/",
    "COMPONENT_SPLIT_REQUEST": True,
    "SORT_OPERATIONS": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {
        "deepLinking": True,
        "persistAuthorization": False,
        "displayRequestDuration": True,
        "tryItOutEnabled": True,
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.api_schema.add_problems",
    ],
    "ENUM_NAME_OVERRIDES": {"PaymentStatusEnum": "payments.models.Payment.Status"},
    "TAGS": [
        {"name": "draws", "description": "What everyone may see."},
        {"name": "packages", "description": "Credits on sale."},
        {"name": "entries", "description": "One's own entries."},
        {"name": "staff", "description": "Watching and executing draws; reconciling payments."},
        {"name": "scheduler", "description": "For an outside scheduler that stands in for beat."},
    ],
}
