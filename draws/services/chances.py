"""Odds of a frozen draw: what one ticket is worth, and what an entry is."""

from dataclasses import dataclass

from django.core.cache import cache
from django.db import connection

from draws.models import Draw
from draws.odds import Chance, chance_to_win

_KEPT_S = 86_400
_MOST_CLASSES = 2_000


@dataclass(frozen=True, slots=True)
class Odds:
    """The chance of one entry to win at least one prize, and what it comes from."""

    weight: int
    tickets: int
    entries: int
    slots: int
    chance: Chance

    @property
    def percent(self) -> float:
        """The chance in hundredths."""
        return 100 * self.chance.value

    @property
    def one_in(self) -> int:
        """“1 in n”, rounded."""
        return round(1 / self.chance.value) if self.chance.value else 0


def weight_classes(draw: Draw) -> dict[int, int]:
    """How many entries hold how many tickets. One grouped scan, 0.2 s for a million entries.

    Of more than 2,000 different weights, neighbours are taken together, within 1 % of each other.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT weight, count(*) FROM draws_entry WHERE draw_id = %s GROUP BY weight LIMIT %s",
            [draw.pk, _MOST_CLASSES + 1],
        )
        rows = cursor.fetchall()
        if len(rows) > _MOST_CLASSES:
            cursor.execute(
                "SELECT max(weight), count(*) FROM draws_entry WHERE draw_id = %s "
                "GROUP BY floor(ln(weight::float8) * 100)",
                [draw.pk],
            )
            rows = cursor.fetchall()
    return {int(weight): int(count) for weight, count in rows}


def odds_of(*, draw: Draw, weight: int = 1) -> Odds | None:
    """The odds of an entry with `weight` tickets in a frozen draw; None before the freeze, or without prizes.

    Where nobody holds exactly `weight` tickets, the odds are those of one more who did; kept for a day, because nothing
    they come from can change any more.
    """
    if draw.manifest is None:
        return None
    slots = sum(prize["quantity"] for prize in draw.manifest["prizes"])
    entries = draw.manifest["entries"]
    classes = cache.get_or_set(
        f"draw:{draw.public_id}:weights:{draw.manifest_sha256}", lambda: weight_classes(draw), _KEPT_S
    )
    if not slots or not classes:
        return None
    if weight not in classes:
        classes = {**classes, weight: 1}
    chance = cache.get_or_set(
        f"draw:{draw.public_id}:chance:{draw.manifest_sha256}:{weight}",
        lambda: chance_to_win(weight=weight, classes=classes, slots=slots),
        _KEPT_S,
    )
    assert isinstance(chance, Chance)
    return Odds(weight, int(entries["tickets"]), int(entries["count"]), slots, chance)
