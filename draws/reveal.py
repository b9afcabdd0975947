"""When which winner is shown to those who watch a draw: one after another, for everybody in the same second.

All ranks are drawn in one transaction, and their winners are public from its commit on. What is spread over time is only the
showing, from the last prize to the first. Its times follow from `executed_at` alone: whoever knows that
knows them, so pages need no further word from the site, and who comes late catches up. Pure: no Django, no clock, no network.
"""

import datetime as dt
from dataclasses import dataclass

MOST_SHOWN = 40
"""Winners of the first slots that are shown one by one; the others are counted, and stand in the results."""
LEAD = dt.timedelta(seconds=5)
"""From the execution to the first winner: what word of it may take to reach everybody."""
_SLOWEST = dt.timedelta(seconds=4)
_QUICKEST = dt.timedelta(milliseconds=1500)
_WHOLE = dt.timedelta(seconds=60)
_MILLISECOND = dt.timedelta(milliseconds=1)


@dataclass(frozen=True)
class Schedule:
    """`count` winners, the first of them at `begins_at`, each `step` after the one before."""

    begins_at: dt.datetime
    step: dt.timedelta
    count: int

    @property
    def ends_at(self) -> dt.datetime:
        """When the last one, the winner of the main prize, has had its moment."""
        return self.begins_at + self.count * self.step

    def shown_by(self, now: dt.datetime) -> int:
        """How many are to be seen at `now`."""
        return max(0, min(self.count, (now - self.begins_at) // self.step + 1))


def schedule_of(*, executed_at: dt.datetime, count: int) -> Schedule:
    """The times of `count` winners (1 to `MOST_SHOWN`): 4 to 1.5 seconds each, all within a minute."""
    if not 0 < count <= MOST_SHOWN:
        raise ValueError(f"one by one, 1 to {MOST_SHOWN} winners are shown")
    share = _WHOLE // count // _MILLISECOND * _MILLISECOND  # browsers count in milliseconds
    return Schedule(executed_at + LEAD, max(_QUICKEST, min(_SLOWEST, share)), count)
