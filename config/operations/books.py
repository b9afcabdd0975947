"""The regular check of the ledger: its result stays, for alarms, metrics and the admin's home."""

import datetime as dt

import structlog

from config.operations import signs
from payments.checking import Difference, check_ledger

log = structlog.get_logger(__name__)

LEDGER = "ledger"
_TOLD = 5


def check_books(*, now: dt.datetime) -> list[Difference]:
    """Check the whole ledger and note what came of it; returns what differs."""
    differences = check_ledger()
    text = "\n".join(str(difference) for difference in differences[:_TOLD])
    signs.note(name=LEDGER, now=now, faults=len(differences), text=text)
    if differences:
        log.error("ledger_differs", differences=len(differences))
    return differences
