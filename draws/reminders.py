"""When a winner is reminded of a prize that is not claimed yet. Pure: no clock."""

import datetime as dt

LAST_CALL = dt.timedelta(days=1)


def reminder_times(*, since: dt.datetime, until: dt.datetime) -> list[dt.datetime]:
    """Twice at most, in order: when half of the time is over, and a day before the end.

    Where half of the time is a day or less the second reminder would come at the heels of the first, or before
    it: then there is one, half-way.
    """
    half = since + (until - since) / 2
    last = until - LAST_CALL
    return [half, last] if half < last else [half]
