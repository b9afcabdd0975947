"""What a job could not do for a draw: written down, told once, tried again with growing waits.

One pair of fields serves both steps of a draw's life, because they follow each other: `execution_error` is the last
failure of the freeze until there is a manifest, and of the execution from then on.
"""

import datetime as dt
import logging
import random

import structlog
from django.db import transaction
from django.db.models import Q

from accounts.models import User
from audit.services import record
from draws.models import Draw
from draws.services.errors import DrawError
from draws.services.reconnecting import drop_if_cut
from draws.services.telling import tell_failure
from draws.vwd1 import format_time

log = structlog.get_logger(__name__)

_BACKOFF_S = (10, 30, 60, 120, 300, 600)
FREEZE = "freeze"
EXECUTION = "execution"
_BEFORE_IT = {
    FREEZE: Q(status=Draw.Status.ACTIVE, manifest__isnull=True),
    EXECUTION: Q(status__in=(Draw.Status.ACTIVE, Draw.Status.EXECUTING), executed_at=None),
}
"""By step: which draws have it before them."""


def note_failure(*, draw_id: int, step: str, error: Exception, by: User | None, now: dt.datetime) -> bool:
    """Write a failure of `step` down, in the log too, and step back; False when another process has done it meanwhile.

    The admins are told when it fails for another reason than last time: the same one again every minute would
    bury everything else. Where the connection was cut a new one is taken; what can't be written down is logged all
    the same.
    """
    drop_if_cut()
    is_ours = True
    try:
        is_ours = _write_down(draw_id=draw_id, step=step, error=error, by=by, now=now)
    finally:
        if is_ours:
            # A refusal says itself what is missing; a traceback would bury that.
            told = {"error": str(error)} if isinstance(error, DrawError) else {"exc_info": error}
            log.log(
                logging.WARNING if isinstance(error, DrawError) else logging.ERROR,
                f"{step}_failed",
                draw=draw_id,
                **told,
            )
    return is_ours


def _write_down(*, draw_id: int, step: str, error: Exception, by: User | None, now: dt.datetime) -> bool:
    with transaction.atomic():
        draw = Draw.objects.select_for_update().filter(_BEFORE_IT[step], pk=draw_id).first()
        if draw is None:
            return False
        if by is None and draw.next_attempt_at is not None and draw.next_attempt_at > now:
            return True  # another process met the failure at the same moment, and has written it down
        text = (str(error) or type(error).__name__).replace("\0", "\\0")
        is_news = draw.execution_error != text
        wait = _BACKOFF_S[min(draw.attempts, len(_BACKOFF_S) - 1)]
        draw.status = Draw.Status.ACTIVE
        draw.attempts += 1
        draw.execution_error = text
        draw.next_attempt_at = now + dt.timedelta(seconds=wait * (0.5 + random.random() / 2))
        draw.save(update_fields=["status", "attempts", "execution_error", "next_attempt_at"])
        record(
            actor=by,
            action=f"draw.{step}_failed",
            target=draw,
            data={"error": text[:2000], "attempts": draw.attempts, "at": format_time(now)},
            now=now,
        )
        if is_news:
            tell_failure(draw=draw, step=step, now=now)
    return True
