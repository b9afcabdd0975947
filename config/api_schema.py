"""The OpenAPI schema: how keys are described, which errors every call may answer, and who is shown what."""

from functools import cache
from typing import Any

from django.utils import translation
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User

_FOR_STAFF = {"staff", "scheduler"}
_PROBLEM_SCHEMA = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable; what a program looks at."},
        "detail": {"type": "string", "description": "A sentence for people, in their language."},
        "errors": {
            "type": "array",
            "description": "For `invalid_input`: what is wrong with which field.",
            "items": {
                "type": "object",
                "required": ["field", "code", "detail"],
                "properties": {
                    "field": {"type": "string"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How a personal key is sent."""

    target_class = "accounts.rest.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A personal API key: `fg_…`."}


class CronScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How an outside scheduler shows its secret."""

    target_class = "config.cron.CronSecretAuthentication"
    name = "cron"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "The site's CRON_SECRET."}


def add_problems(result: dict[str, Any], generator: Any, request: Any, public: Any) -> dict[str, Any]:
    """Hook of drf-spectacular: whatever is no success is a problem, for every call."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = _PROBLEM_SCHEMA
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = {"description": "A problem", "content": content}
    return result


@cache
def full_schema() -> dict[str, Any]:
    """The whole schema, as in `docs/openapi.yaml`."""
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    with translation.override("en"):
        schema: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return schema


@cache
def schema_for(*, staff: bool) -> dict[str, Any]:
    """The schema that a person is shown: what staff and schedulers call is shown to staff alone."""
    schema = full_schema()
    if staff:
        return schema
    paths = {
        path: kept
        for path, operations in schema["paths"].items()
        if (kept := {name: call for name, call in operations.items() if not _FOR_STAFF & set(call["tags"])})
    }
    tags = [tag for tag in schema["tags"] if tag["name"] not in _FOR_STAFF]
    used = _components_used(paths, schema["components"]["schemas"])
    schemas = {name: value for name, value in schema["components"]["schemas"].items() if name in used}
    security = {
        name: value for name, value in schema["components"]["securitySchemes"].items() if name != "cron"
    }
    return {
        **schema,
        "paths": paths,
        "tags": tags,
        "components": {"schemas": schemas, "securitySchemes": security},
    }


def _components_used(
    value: Any, schemas: dict[str, Any], used: frozenset[str] = frozenset()
) -> frozenset[str]:
    """Names of the schemas that `value` refers to, and of those that these refer to."""
    if isinstance(value, list):
        for item in value:
            used = _components_used(item, schemas, used)
    elif isinstance(value, dict):
        name = str(value.get("$ref", "")).rpartition("/")[2]
        if name and name not in used:
            used = _components_used(schemas[name], schemas, used | {name})
        for item in value.values():
            used = _components_used(item, schemas, used)
    return used


class SchemaView(SpectacularAPIView):
    """`/api/schema/`: OpenAPI 3 as YAML, or JSON for `?format=json`."""

    permission_classes = [AllowAny]

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        is_staff = isinstance(request.user, User) and request.user.is_staff
        return Response(schema_for(staff=is_staff))


class DocsView(SpectacularSwaggerSplitView):
    """`/api/docs/`: Swagger's page. Split in two, and with a template of ours, so that nothing in it is inline."""

    permission_classes = [AllowAny]
    url_name = "api-schema"
    template_name = "api/docs.html"
