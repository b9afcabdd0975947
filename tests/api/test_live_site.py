"""The API over the wire: with Redis killed, and asked everything that its schema allows and forbids."""

import http.client
import itertools
import json
from urllib.parse import urlsplit

import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)

from accounts.models import User
from tests.api.conftest import CRON_SECRET
from tests.api.keys import bearer, make_key
from tests.draws.factories import make_draw, make_executed, make_frozen
from tests.factories import admin, alice

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# Of query parameters that name none.
VALUES = {
    "integer": [0, 1, 2, -1, 10**20],
    "number": [0, 1.5],
    "boolean": [True, False],
    "string": ["", "x", "é%00"],
}
EVERYTHING = ("entries:read", "entries:write", "draws:monitor", "draws:execute", "payments:reconcile")


def ask(site, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict]:
    """One request over a connection of its own; status and JSON."""
    link = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=60)
    try:
        link.request(method, path, body, headers)
        answer = link.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        link.close()


def test_with_redis_killed_nobody_is_held_up(api_site, own_redis):
    api_site.env |= {"API_LIMIT_ADDRESS": "2", "API_LIMIT_KEY": "2", "API_LIMIT_MEMBER": "2"}
    api_site.start_web()
    draw = make_draw()
    key = bearer(make_key(alice(), "entries:read", "entries:write").token)
    path = f"/api/draws/{draw.slug}/entries"
    codes = [ask(api_site, "GET", "/api/draws/entries", **key)[0] for _ in range(4)]
    assert codes == [200, 200, 429, 429]
    own_redis.kill()
    assert [ask(api_site, "POST", path, **key)[0] for _ in range(3)] == [201, 200, 200]
    cron = bearer(CRON_SECRET)
    done = make_frozen()
    status, said = ask(api_site, "POST", "/api/cron/execute-draws", **cron)
    assert (status, said["draws_processed"]) == (200, 1)
    status, said = ask(api_site, "POST", "/api/cron/send-notifications", **cron)
    assert (status, said["failed"]) == (200, 0)
    assert said["processed"] > 0
    done.refresh_from_db()
    assert done.status == "completed"


def test_a_huge_or_unannounced_body_costs_nothing(api_site):
    api_site.start_web()
    draw = make_frozen()
    key = bearer(make_key(admin(), "draws:execute").token) | {"Content-Type": "application/json"}
    path = f"/api/draws/{draw.public_id}/execute"
    huge = b'{"reason": "' + b"x" * 20_000_000 + b'"}'
    try:
        status, said = ask(api_site, "POST", path, huge, **key)
        assert (status, said["code"]) == (413, "too_large")
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused before all of it was sent
    link = http.client.HTTPConnection(urlsplit(api_site.url).netloc, timeout=60)
    link.request("POST", path, iter([b'{"reason"', b': "Late."}']), key, encode_chunked=True)
    answer = link.getresponse()
    assert answer.status in (200, 400)
    assert answer.headers["Content-Type"] in ("application/json", "application/problem+json")
    link.close()
    assert ask(api_site, "GET", "/healthz")[0] == 200


def test_nothing_that_is_sent_breaks_it(api_site, soak_rounds):
    """Every call of the schema, with what it allows and what it forbids, on draws that are there and that are not."""
    api_site.start_web()
    User.objects.filter(pk=admin().pk).update(is_superuser=False)
    draws = [make_draw(), make_frozen(), make_executed(members=[admin()])]
    key = bearer(make_key(admin(), *EVERYTHING).token)
    real = {"slug": [draw.slug for draw in draws], "draw_id": [str(draw.public_id) for draw in draws]}
    schema = schemathesis.openapi.from_url(f"{api_site.url}/api/schema/?format=json", headers=key)
    asked = [
        _ask_everything(found.ok(), key, real, soak_rounds(25, 400)) for found in schema.get_all_operations()
    ]
    assert len(asked) == 16


def _ask_everything(operation, key, real, examples: int) -> None:
    headers = bearer(CRON_SECRET) if "/cron/" in operation.path else key
    for case in _one_of_each(operation, real):
        _ask_one(case, headers)

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def ask_it(data) -> None:
        mode = data.draw(st.sampled_from(list(schemathesis.GenerationMode)))
        case = data.draw(operation.as_strategy(generation_mode=mode))
        for name in case.path_parameters or {}:
            if data.draw(st.booleans()):
                case.path_parameters[name] = data.draw(st.sampled_from(real[name]))
        _ask_one(case, headers)

    ask_it()


def _one_of_each(operation, real):
    """Each draw that is there, with each value that a query parameter names: chance would come to some of them only."""
    raw = operation.definition.raw.get("parameters", [])
    named = [each["name"] for each in raw if each["in"] == "path"]
    queries = [{}] + [
        {each["name"]: value}
        for each in raw
        if each["in"] == "query"
        for value in each["schema"].get("enum", VALUES[each["schema"]["type"]])
    ]
    for values in itertools.product(*(real[name] for name in named)):
        for query in queries:
            yield operation.Case(path_parameters=dict(zip(named, values, strict=True)), query=query)


def _ask_one(case, headers) -> None:
    answer = case.call(headers=headers)
    case.validate_response(answer, checks=CHECKS, headers=headers)
    if answer.status_code >= 400:
        assert answer.json()["status"] == answer.status_code
        assert answer.json()["code"]
