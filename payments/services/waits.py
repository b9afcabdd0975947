"""How long to wait until Paystack is asked again about something that it has not decided, or did not answer."""

import datetime as dt

_MINUTES = (2, 5, 15, 60)


def wait_after(attempts: int) -> dt.timedelta:
    """The wait after so many attempts, the first is 1: growing, and an hour from the fourth on."""
    return dt.timedelta(minutes=_MINUTES[min(attempts, len(_MINUTES)) - 1])
