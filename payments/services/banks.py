"""Where Paystack pays to: its list of banks, asked for once a day and kept in the cache.

The cache is a convenience: with Redis gone every page asks Paystack itself. The list of yesterday is used while
Paystack does not answer, for a week; an account at a bank that is gone is refused by Paystack, and shown to staff.
"""

import datetime as dt

import structlog
from django.conf import settings
from django.core.cache import cache

from payments import paystack

log = structlog.get_logger(__name__)

FRESH = dt.timedelta(days=1)
KEPT = dt.timedelta(days=7)


def banks_for(*, currency: str, now: dt.datetime) -> list[paystack.Bank]:
    """Paystack's banks and mobile money of a currency, at most a day old where Paystack answers.

    Raises `paystack.PaystackError` where it does not and nothing is kept, `PaystackRefusedError` for a currency it refuses.
    """
    key = f"payments:banks:{settings.PAYSTACK_BASE_URL}:{currency}"
    known, banks = _kept(key)
    if known is not None and now - known < FRESH:
        return banks
    try:
        found = paystack.list_banks(currency=currency)
    except paystack.PaystackRefusedError:
        raise
    except paystack.PaystackError as error:
        if known is None:
            raise
        log.warning("banks_of_yesterday", currency=currency, since=known.isoformat(), error=str(error))
        return banks
    if found:  # an empty list is not worth a day
        cache.set(key, (now, [(bank.name, bank.code, bank.type) for bank in found]), KEPT.total_seconds())
    return found


def _kept(key: str) -> tuple[dt.datetime | None, list[paystack.Bank]]:
    """When the list was asked for, and the list; None and nothing where there is none, or Redis is gone."""
    kept = cache.get(key)
    if kept is None:
        return None, []
    known, rows = kept
    return known, [paystack.Bank(*row) for row in rows]
