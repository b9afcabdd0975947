"""For machines: is the process alive, can the site serve, what does it count.

`/healthz` and `/readyz` are open to everyone and say nothing secret. They are answered before host names are looked
at: what probes a process asks it by its address.
"""

import datetime as dt
import hmac
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from config.operations import metrics, vitals
from config.operations.troubles import (
    DELIVERIES_STUCK_AFTER,
    EVENT_STUCK_AFTER,
    REFUND_IN_DOUBT_AFTER,
    REVIEW_OLD_AFTER,
    WITHDRAWAL_OLD_AFTER,
)
from draws.models.draw import OVERDUE_AFTER
from draws.services.monitoring import beat_late_after
from payments.services.figures import waiting_money

STATEMENT_TIMEOUT_S = 3
_BOUND = "SELECT set_config('statement_timeout', %s, true)"


def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. Says nothing about the database: `/readyz` does."""
    return JsonResponse({"healthy": True, "timestamp": _text(dt.datetime.now(dt.UTC))})


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Each thing the site needs, with its state: `ok`, `degraded` (it serves, somebody should look) or `down`.

    503 only when the database is gone: pages are served without Redis, beat and workers, and no other web process
    would be better off.
    """
    now = timezone.now()
    items: dict[str, dict[str, Any]] = {"database": {"state": "ok"}}
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_BOUND, [f"{STATEMENT_TIMEOUT_S}s"])
            items |= _from_database(now)
    except DatabaseError as error:
        items = {"database": {"state": "down", "error": type(error).__name__}}
    items["redis"] = {"state": "degraded" if vitals.redis_problem() else "ok"}
    states = {item["state"] for item in items.values()}
    state = next(state for state in ("down", "degraded", "ok") if state in states)
    answer = JsonResponse(
        {"state": state, "timestamp": _text(now), "items": items}, status=503 if state == "down" else 200
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _from_database(now: dt.datetime) -> dict[str, dict[str, Any]]:
    clockwork, waiting, money = vitals.clockwork(), vitals.waiting(now=now), waiting_money(now=now)
    beat = _aged(clockwork.runs_at, now, beat_late_after())
    if clockwork.runs_at is None:
        beat["state"] = "degraded"
    return {
        "beat": beat,
        "due_draws": _aged(waiting.oldest_draw_at, now, OVERDUE_AFTER),
        "due_deliveries": _aged(waiting.oldest_delivery_at, now, DELIVERIES_STUCK_AFTER),
        "due_events": _aged(money.due_event_at, now, EVENT_STUCK_AFTER),
        "failed_events": _aged(money.failed_event_at, now, EVENT_STUCK_AFTER),
        "doubtful_refunds": _aged(money.refund_at, now, REFUND_IN_DOUBT_AFTER),
        "open_withdrawals": _aged(money.withdrawal_at, now, WITHDRAWAL_OLD_AFTER),
        "open_reviews": _aged(money.review_at, now, REVIEW_OLD_AFTER),
    }


def _aged(moment: dt.datetime | None, now: dt.datetime, late_after: dt.timedelta) -> dict[str, Any]:
    """How old the oldest of something is; null where there is none."""
    age = None if moment is None else max(0, int((now - moment).total_seconds()))
    is_late = age is not None and age > late_after.total_seconds()
    return {"state": "degraded" if is_late else "ok", "age_s": age}


@require_safe
def metrics_page(request: HttpRequest) -> HttpResponse:
    """For Prometheus: what `metrics.py` counts, for who shows `METRICS_TOKEN`. Where none is set there is no such page."""
    if not settings.METRICS_TOKEN:
        raise Http404
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    shown = sha256(token.strip().encode(errors="replace")).digest()
    if scheme.lower() != "bearer" or not hmac.compare_digest(
        shown, sha256(settings.METRICS_TOKEN.encode()).digest()
    ):
        answer = HttpResponse(
            "Show METRICS_TOKEN as a bearer token.\n", status=401, content_type="text/plain"
        )
        answer.headers["WWW-Authenticate"] = 'Bearer realm="metrics"'
        return answer
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_BOUND, [f"{STATEMENT_TIMEOUT_S}s"])
        text = metrics.exposition(now=timezone.now())
    answer = HttpResponse(text, content_type=CONTENT_TYPE_LATEST)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _text(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="seconds")


PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/healthz": healthz,
    "/readyz": readyz,
    "/metrics": metrics_page,
}
