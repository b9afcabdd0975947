"""What Prometheus reads: gauges of the business, taken from the database at each scrape.

All processes of all hosts answer the same, so any one of them may be scraped, and nothing is counted in a process's memory,
which several web workers would each have a part of. Every query is answered by an index on few rows; what was sent
long ago is not counted, because that would read every delivery there ever was.
"""

import datetime as dt
from collections.abc import Iterable, Mapping

import redis
from django.db.models import Count
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from audit.services import newest_seal
from config.models import Alarm, AlarmNotice
from config.operations import signs, vitals
from config.operations.books import LEDGER
from draws.models import Award, Draw
from notifications.models import DEAD_LETTERS, WAITING, Delivery, Message, State, TemplateOverride
from payments.services.figures import buying_figures, waiting_money

_COUNTED = (*WAITING, State.CLAIMED, *DEAD_LETTERS)


def exposition(*, now: dt.datetime) -> bytes:
    """All of it in Prometheus' text format."""
    registry = CollectorRegistry()

    def gauge(name: str, what: str, value: float | None) -> None:
        if value is not None:  # what is not known is absent, not 0
            Gauge(f"fairground_{name}", what, registry=registry).set(value)

    def gauges(name: str, what: str, label: str, values: Mapping[str, float | None]) -> None:
        each = Gauge(f"fairground_{name}", what, [label], registry=registry)
        for key, value in values.items():
            if value is not None:
                each.labels(key).set(value)

    def age(moment: dt.datetime | None) -> float | None:
        return None if moment is None else max(0.0, (now - moment).total_seconds())

    seen = signs.last_seen()
    waiting, clockwork = vitals.waiting(now=now), vitals.clockwork(seen=seen)
    gauges("draws_due", "Draws whose next step is due.", "step", _draws_due(now))
    gauge("draws_overdue", "Draws not drawn 5 minutes after their time.", Draw.objects.overdue(now).count())
    failed = Draw.objects.unfinished().exclude(execution_error="")
    gauge("draws_failed", "Unfinished draws whose last execution failed.", failed.count())
    stopped = Draw.objects.filter(payouts_stopped_at__isnull=False)
    gauge("draws_payouts_stopped", "Draws whose payouts a check has stopped.", stopped.count())
    gauge("draw_oldest_due_seconds", "Age of the oldest due draw.", age(waiting.oldest_draw_at) or 0)
    claimable = Award.objects.filter(state=Award.State.CLAIMABLE)
    gauge("awards_claimable", "Prizes that wait for their winners.", claimable.count())

    gauges("deliveries", "Deliveries that wait, are being sent, or failed.", "state", _deliveries())
    gauge("messages_to_expand", "Messages not expanded.", Message.objects.to_expand(now).order_by().count())
    oldest = age(waiting.oldest_delivery_at) or 0
    gauge("delivery_oldest_due_seconds", "Age of the oldest due message or delivery.", oldest)
    broken = TemplateOverride.objects.filter(broken_at__isnull=False)
    gauge("wordings_broken", "Words of staff that fail, so that the usual ones are said.", broken.count())

    buying = buying_figures(now=now)
    gauges("payments_recent", "Payments begun within 24 hours.", "status", {**buying.payments})
    gauges("webhook_events_recent", "Paystack's events within 24 hours.", "state", {**buying.events})
    gauge("webhook_duplicates_recent", "Repeats of events that came within 24 hours.", buying.duplicates)
    gauge("webhook_refused_recent", "Requests refused for their signature within 24 hours.", buying.refused)
    gauge("reviews_open", "Matters of payments that wait for a person.", buying.reviews_open)
    gauge("review_oldest_seconds", "Age of the oldest of them.", age(buying.oldest_review_at) or 0)
    money = waiting_money(now=now)
    gauge("webhook_event_failed_oldest_seconds", "Age of the oldest failed.", age(money.failed_event_at) or 0)
    gauge("webhook_event_due_oldest_seconds", "Age of the oldest due event.", age(money.due_event_at) or 0)
    gauge("withdrawal_oldest_seconds", "Age of the oldest that is open.", age(money.withdrawal_at) or 0)
    gauge("refund_in_doubt_oldest_seconds", "Age of the oldest in doubt.", age(money.refund_at) or 0)

    ledger = seen.get(LEDGER)
    gauge("ledger_faults", "Differences the last check found.", ledger.faults if ledger else None)
    checked_at = ledger.at.timestamp() if ledger else None
    gauge("ledger_checked_timestamp_seconds", "When the ledger was last checked.", checked_at)
    seal = newest_seal()
    sealed_at = seal.sealed_at.timestamp() if seal else None
    gauge("audit_sealed_timestamp_seconds", "When the audit trail was last sealed.", sealed_at)
    gauge("audit_unsealed_seconds", "Age of the oldest unsealed record.", age(vitals.unsealed_since()) or 0)

    gauge("jobs_age_seconds", "Since beat or an outside scheduler last ran.", age(clockwork.runs_at))
    workers = {queue: age(seen_at) for queue, seen_at in clockwork.workers.items()}
    gauges("worker_age_seconds", "Since a job last arrived at the queue's workers.", "queue", workers)
    lengths = _queue_lengths()
    gauge("redis_up", "Whether Redis answers.", float(lengths is not None))
    gauges("queue_length", "Messages that wait in the broker.", "queue", lengths or {})

    gauge("alarms_open", "Alarms that are not over.", Alarm.objects.open().count())
    untold = AlarmNotice.objects.filter(sent_at=None)
    notices: dict[str, float | None] = {
        "waiting": untold.filter(next_attempt_at__isnull=False).count(),
        "given_up": untold.filter(next_attempt_at=None).count(),
    }
    gauges("alarm_notices", "Notices of alarms that were not heard.", "state", notices)
    return bytes(generate_latest(registry))


def _draws_due(now: dt.datetime) -> dict[str, float | None]:
    return {
        "freeze": Draw.objects.due_to_freeze(now).count(),
        "execute": Draw.objects.due_to_execute(now).count(),
    }


def _deliveries() -> dict[str, float | None]:
    """By state. A state a query, so that each is answered by its own partial index."""
    found: dict[str, float | None] = dict.fromkeys(map(str, _COUNTED), 0)
    for states in (WAITING, (State.CLAIMED,), DEAD_LETTERS):
        found |= dict(_counts(states))
    return found


def _counts(states: Iterable[str]) -> Iterable[tuple[str, int]]:
    rows = Delivery.objects.filter(state__in=list(states)).order_by().values("state")
    return rows.annotate(n=Count("pk")).values_list("state", "n")


def _queue_lengths() -> Mapping[str, float | None] | None:
    try:
        return dict(vitals.queue_lengths())
    except (redis.RedisError, OSError, ValueError):
        return None
