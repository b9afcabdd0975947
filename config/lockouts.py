"""The verb that ends a lock-out; written in the trail, hence on this floor."""

import datetime as dt

from axes.handlers.proxy import AxesProxyHandler
from django.db import transaction

from accounts.lockouts import account_of
from accounts.models import User
from audit.services import record


@transaction.atomic
def unlock(*, name: str, by: User, now: dt.datetime) -> int:
    """Forget the failures counted under `name`, from all addresses; returns how many rows that were.

    The trail names the person, and for an address without an account nobody: it may be somebody's all the same.
    """
    count: int = AxesProxyHandler.reset_attempts(username=name)
    if count:
        person = User.objects.filter(email=account_of(name)).first()
        record(actor=by, action="sign_in.unlocked", target=person or "nobody", data={"rows": count}, now=now)
    return count
