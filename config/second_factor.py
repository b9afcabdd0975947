"""The verbs of second factors and sessions that are written in the trail. Here, because the trail is above `accounts`."""

import datetime as dt

from allauth.mfa.models import Authenticator
from django.db import transaction

from accounts.models import SignedInSession, User
from audit.services import record


def note_factor(*, user: User, done: str, kind: str, now: dt.datetime) -> None:
    """Write in the caller's transaction that somebody added, removed or renewed a factor of their own.

    `done` is the end of the action's name (`added`, `removed`, `codes_made`), `kind` allauth's type.
    """
    record(actor=user, action=f"second_factor.{done}", target=user, data={"kind": kind}, now=now)


@transaction.atomic
def reset_second_factor(*, person: User, by: User | None, now: dt.datetime) -> bool:
    """Remove all factors of somebody who lost them, and sign them out everywhere; False where there were none.

    They sign in with the password alone then, and staff set up a new factor before anything else. `by` is None
    for the command line.
    """
    count, _per_model = Authenticator.objects.filter(user_id=person.pk).delete()
    if not count:
        return False
    SignedInSession.objects.filter(account=person).delete()
    record(actor=by, action="second_factor.reset", target=person, data={"factors": count}, now=now)
    return True


@transaction.atomic
def end_sessions(*, user: User, chosen: list[str], now: dt.datetime) -> int:
    """Sign `user` out of the sessions with these keys, at once; returns how many there were."""
    count, _per_model = SignedInSession.objects.filter(account=user, session_key__in=chosen).delete()
    if count:
        record(actor=user, action="sessions.ended", target=user, data={"count": count}, now=now)
    return count
