"""One round of the outbox: what the sweep, the admin's button and `process_notifications` do."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from django.db import InterfaceError, OperationalError

from notifications.services.expansion import expand_due_messages
from notifications.services.leases import expire_leases
from notifications.services.results import Tally
from notifications.services.sending import LIMIT, send_due_deliveries
from notifications.services.sequences import take_due_turns
from notifications.services.unknown import resolve_unknown

log = structlog.get_logger(__name__)

CHUNKS_A_ROUND = 50  # pages of recipients before deliveries get their turn


@dataclass(frozen=True)
class Processed:
    """What one round did: recipients found, deliveries dealt with, and those of them that did not go out."""

    expanded: int
    processed: int
    failed: int

    @property
    def found_work(self) -> bool:
        """Whether there may be more."""
        return bool(self.expanded or self.processed)


def process_notifications(*, now: dt.datetime, limit: int = LIMIT) -> Processed:
    """Give back dead workers' claims, ask what became of lost letters, say the steps of sequences that are due, expand due
    messages, and send up to `limit` deliveries by each channel. What breaks of the middle two keeps nothing from being sent."""
    expire_leases(now=now)
    _whatever_happens(lambda: resolve_unknown(now=now).processed)
    taken = _whatever_happens(lambda: take_due_turns(now=now))
    expanded = expand_due_messages(now=now, chunks=CHUNKS_A_ROUND)
    tally = Tally()
    while tally.processed < limit:
        round_tally = send_due_deliveries(now=now, limit=min(LIMIT, limit - tally.processed))
        if not round_tally.processed:
            break
        tally.add(round_tally)
    return Processed(expanded=expanded + taken, processed=tally.processed, failed=tally.failed)


def _whatever_happens(work: Callable[[], int]) -> int:
    """What `work` answers; 0 where it breaks. Without the database nothing goes on."""
    try:
        return work()
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("outbox_step_failed")
        return 0
