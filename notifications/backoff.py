"""How long to wait before trying again: exponential backoff with full jitter.

Full jitter (a random wait between nothing and the doubling bound) spreads a crowd of retries best; see
M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

import datetime as dt
import random

BASE = dt.timedelta(seconds=30)
CAP = dt.timedelta(hours=6)
ATTEMPTS = 10  # with these bounds the last attempt comes about a day after the first


def bound(failures: int) -> dt.timedelta:
    """The longest wait after so many failures (from 1): 30 s, 1 min, 2 min, … 6 h."""
    doublings = min(max(failures, 1) - 1, 20)
    return min(CAP, BASE * (1 << doublings))


def delay(failures: int, fraction: float | None = None) -> dt.timedelta:
    """The wait after so many failures; `fraction` in [0, 1) stands in for chance in tests."""
    return bound(failures) * (random.random() if fraction is None else fraction)
