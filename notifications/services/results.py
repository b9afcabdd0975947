"""What became of claimed deliveries, written down in one statement for all of them."""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from email.utils import parseaddr
from functools import lru_cache
from operator import attrgetter
from typing import Any, Self

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from notifications import kinds
from notifications.models import Delivery, State

# A late answer still counts: a row whose lease ran out is written to as long as nobody has claimed it again,
# which shows in `lease_until` (see `Delivery`). So an answer that comes after all ends the state `unknown`.
_SAVE = """
UPDATE notifications_delivery AS delivery SET
    state = result.state,
    skip_reason = result.skip_reason,
    attempts = result.attempts,
    lost_answers = result.lost_answers,
    next_attempt_at = result.next_attempt_at,
    provider_id = result.provider_id,
    provider_code = result.provider_code,
    provider_text = result.provider_text,
    handed_at = result.handed_at
FROM unnest(
    %s::bigint[], %s::timestamptz[], %s::text[], %s::text[], %s::smallint[], %s::smallint[], %s::timestamptz[],
    %s::text[], %s::text[], %s::text[], %s::timestamptz[]
) AS result(id, lease_until, state, skip_reason, attempts, lost_answers, next_attempt_at, provider_id,
    provider_code, provider_text, handed_at)
WHERE delivery.id = result.id AND delivery.lease_until = result.lease_until AND delivery.state = ANY(%s)
RETURNING delivery.state
"""


@dataclass(frozen=True)
class Result:
    """New values of one claimed delivery, in the order of the statement above."""

    id: int
    lease_until: dt.datetime | None
    state: str
    skip_reason: str
    attempts: int
    lost_answers: int
    next_attempt_at: dt.datetime
    provider_id: str
    provider_code: str
    provider_text: str
    handed_at: dt.datetime | None

    @classmethod
    def of(cls, delivery: Delivery, state: State, **changes: Any) -> Self:
        """The delivery as it is, but in `state` and with `changes`."""
        kept = dict(zip(_COLUMNS, _values(delivery), strict=True))
        return cls(**{**kept, "state": str(state), **changes})


_COLUMNS = tuple(field.name for field in fields(Result))
_values = attrgetter(*_COLUMNS)


@dataclass
class Tally:
    """How many deliveries ended in which state."""

    states: Counter[str] = field(default_factory=Counter)

    @property
    def processed(self) -> int:
        """All that were dealt with."""
        return self.states.total()

    @property
    def handed(self) -> int:
        """Accepted by the provider."""
        return self.states[State.HANDED]

    @property
    def failed(self) -> int:
        """Did not go out now: refused, put off, or with a lost answer."""
        return sum(self.states[state] for state in (State.FAILED, State.BOUNCED, State.RETRY, State.UNKNOWN))

    def add(self, other: "Tally") -> None:
        """Count the other's deliveries too."""
        self.states.update(other.states)


CLAIMED = (State.CLAIMED,)


def save_results(
    results: Sequence[Result],
    tally: Tally,
    *,
    only: Sequence[State] = (State.CLAIMED, State.UNKNOWN, State.RETRY),
) -> None:
    """Write the results of rows that are still this worker's, and count them.

    `only` names the states that are written over; `CLAIMED` leaves out rows that already have an outcome. Where the connection was cut meanwhile it is written
    over a new one: what the provider said is known, and lost it would mean a second mail.
    """
    if not results:
        return
    columns = zip(*map(_values, results), strict=True)
    values = [*(list(column) for column in columns), [str(state) for state in only]]
    try:
        saved = _save(values)
    except (OperationalError, InterfaceError):
        if connection.in_atomic_block:
            raise
        connection.close()
        saved = _save(values)
    tally.states.update(saved)


def _save(values: list[Any]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_SAVE, values)
        return [state for (state,) in cursor.fetchall()]


ASK_AFTER = dt.timedelta(seconds=10)
"""How long after a lost answer the provider is first asked; it may not show at once what it has just taken."""


def lost_answer(delivery: Delivery, *, code: str, text: str, now: dt.datetime, can_be_asked: bool) -> Result:
    """A letter that may or may not be out. A provider that can be asked is asked (`unknown.py`); plain SMTP can't be:
    one more try, for transactional kinds only.

    The second mail has the same Message-ID, by which mail systems recognise a repetition.
    """
    again = (
        not can_be_asked
        and delivery.lost_answers == 0
        and delivery.message.kind in kinds.names_of(kinds.Category.TRANSACTIONAL)
    )
    return Result.of(
        delivery,
        State.RETRY if again else State.UNKNOWN,
        attempts=delivery.attempts + 1,
        lost_answers=delivery.lost_answers + 1,
        next_attempt_at=now if again else now + ASK_AFTER,
        provider_code=code,
        provider_text=text,
    )


def message_id_of(delivery: Delivery) -> str:
    """The Message-ID of a delivery: the same at each attempt."""
    return f"<{delivery.handle.hex}@{_domain_of(settings.DEFAULT_FROM_EMAIL)}>"


@lru_cache(maxsize=8)
def _domain_of(sender: str) -> str:
    return parseaddr(sender)[1].rpartition("@")[2] or "localhost"
