"""Demo data for an empty site: a cast of members, a year of draws behind them, and draws that the site moves on itself.

Everything goes through the services that people use, so what the demo shows is what the site does. `people` makes the
cast, `making` a draw, `past` the year and what became of its prizes, `special` one draw for each thing that can happen, `buying`
payments, `telling` what staff are about to tell, `ahead` what is still to come.
"""

import datetime as dt
from collections.abc import Callable

from django.db import transaction

from accounts.models import User
from config.demo import ahead, buying, past, special, telling
from config.demo.people import DOMAIN, PASSWORD, SignIn, make_people, person, sign_ins
from draws.models import Draw, EntryImport

__all__ = ["DOMAIN", "PASSWORD", "SignIn", "is_empty", "seed", "sign_ins"]


def is_empty() -> bool:
    """Nobody has used this database yet."""
    return not User.objects.exists() and not Draw.objects.exists()


@transaction.atomic
def seed(*, clock: Callable[[], dt.datetime]) -> EntryImport:
    """Fill an empty site; returns the import of the draw that takes place within three minutes of the end.

    `clock` is read twice, because the past takes its time: what a visitor has minutes for begins when all is there.
    """
    # What is hours away is on the hour, as people announce things.
    now = clock().replace(minute=0, second=0, microsecond=0)
    make_people(now=now)
    past.seed_year(now=now)
    special.seed_fates(now=now)
    special.seed_series(now=now)
    special.seed_endings(now=now)
    buying.seed_packages()
    buying.seed_payments(now=now)
    telling.seed_telling(by=person("manager"), now=now)
    ahead.seed_open(now=now)
    ahead.seed_waiting(now=now)
    now = clock().replace(microsecond=0)
    special.seed_announced_texts(now=now)
    ahead.seed_for_visitors(now=now)
    return ahead.seed_opening_night(now=now)
