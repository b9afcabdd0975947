"""Writing the trail."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.db import models

from accounts.models import User
from audit.canonical import canonical_json
from audit.context import origin
from audit.models import Record, RequestContext


def target_name(target: models.Model | str) -> str:
    """How the trail names a thing: `draws.draw:<public id>`; text is taken as it is."""
    if isinstance(target, str):
        return target
    return f"{target._meta.label_lower}:{getattr(target, 'public_id', None) or target.pk}"


def record(
    *, actor: User | None, action: str, target: models.Model | str, data: Mapping[str, Any], now: dt.datetime
) -> Record:
    """Write what `actor` (None: the site itself) did, in the caller's transaction.

    `data` holds strings, integers, booleans, lists and dicts only, so that it has one canonical form for the
    seals; anything else raises `audit.canonical.CanonicalError`. It must hold nothing that may have to be
    erased: people appear by public id.
    """
    content = dict(data)
    canonical_json(content)
    row = Record.objects.create(at=now, actor=actor, action=action, target=target_name(target), data=content)
    if (here := origin.get()) is not None:
        RequestContext.objects.create(
            record=row, request_id=here.request_id, address=here.address, user_agent=here.user_agent
        )
    return row
