"""From which amount on an act with money needs a second person.

The limit of a unit is the most, in minor units, that one person moves alone within 24 hours, all acts together
(`payments/alone.py`). What the setting
`APPROVAL_LIMITS` names stands before the defaults below. 0: even the smallest amount needs two. A unit that
stands in neither, such as a token of the site's own, always needs two: nobody has said what it is worth.
"""

import re
from collections.abc import Iterable, Mapping

from django.conf import settings

DEFAULT_LIMITS: dict[str, int] = {
    "KES": 10_000_000,
    "BDT": 10_000_000,
    "CAD": 100_000,
    "USD": 100_000,
    "EUR": 100_000,
    "GBP": 100_000,
    "NGN": 100_000_000,
    "TZS": 200_000_000,
    "UGX": 3_000_000,
    "JPY": 100_000,
    "CREDIT": 10_000,
    "POINT": 100_000,
}
"""Minor units: KES 100,000.00, CAD 1,000.00, UGX 3,000,000, 10,000 credits, …"""

_ITEM = re.compile(r"(?P<unit>[A-Z][A-Z0-9_]*)=(?P<limit>[0-9]{1,16})")


def read_limits(items: Iterable[str]) -> tuple[dict[str, int], list[str]]:
    """The limits that `KES=10000000` and its like say, and a sentence about each item that can't be read.

    Of two limits for one unit the lower holds; that too is a complaint.
    """
    limits: dict[str, int] = {}
    complaints = []
    for item in items:
        match = _ITEM.fullmatch(item.strip())
        if match is None:
            complaints.append(
                f"{item!r} is no limit: write a unit and whole minor units, like KES=10000000 for KES 100,000.00"
            )
            continue
        unit, limit = match["unit"], int(match["limit"])
        if unit in limits:
            complaints.append(f"{unit} stands twice: the lower limit holds")
        limits[unit] = min(limit, limits.get(unit, limit))
    return limits, complaints


def limit_of(unit: str) -> int:
    """The most of the unit that one person moves alone within 24 hours, in minor units; 0 where nobody has said."""
    chosen, complaints = read_limits(settings.APPROVAL_LIMITS)
    if complaints:
        # Told by the system check. Until it is mended no unit has a higher limit than the default.
        chosen = {name: min(limit, DEFAULT_LIMITS.get(name, 0)) for name, limit in chosen.items()}
    return chosen.get(unit, DEFAULT_LIMITS.get(unit, 0))


def needs_second_person(amounts: Mapping[str, int]) -> bool:
    """Whether any of these amounts (unit to minor units) is above its limit."""
    return any(amount > limit_of(unit) for unit, amount in amounts.items())
