"""What one person has moved without a second: the sum that the limits are held against.

Every act with money that is done on one signature leaves a row, written in its transaction under the lock of the
person who acts. So an amount that was cut into pieces is one amount, also where the pieces are sent at the same moment.
What a second person agreed to is not counted.
"""

import datetime as dt

from django.db import connection
from django.db.models import Sum

from accounts.models import User
from payments.approvable import MoneyAct
from payments.models import AloneMove, LedgerEntry

WINDOW = dt.timedelta(hours=24)


def lock_person(by: User) -> None:
    """Let the acts of one person come one after another, until the transaction ends.

    Taken before rows of features. An advisory lock, so that it waits for nothing but this: the person's own row is
    locked by signing in.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('payments.alone', %s))", [by.pk])


def moved_alone(by: User, *, until: dt.datetime) -> dict[str, int]:
    """What this person has moved alone in the 24 hours before `until`: unit to minor units."""
    rows = AloneMove.objects.filter(by=by, at__gt=until - WINDOW).values("unit").order_by("unit")
    return {row["unit"]: row["total"] for row in rows.annotate(total=Sum("amount"))}


def note_alone(act: MoneyAct, *, entry: LedgerEntry, by: User, now: dt.datetime) -> None:
    """Count an act that has just been done on one signature: once, for whoever's attempt came first."""
    AloneMove.objects.bulk_create(
        [
            AloneMove(entry=entry, by=by, unit=unit, amount=amount, at=now)
            for unit, amount in sorted(act.amounts.items())
        ],
        ignore_conflicts=True,
    )
