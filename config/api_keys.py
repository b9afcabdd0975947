"""Making and revoking personal API keys. Here, because only the top floor may know both people and the trail."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.api_keys import new_secret, secret_sha256, token_of
from accounts.models import ApiKey, User
from accounts.scopes import scopes_for
from audit.services import record

MOST_KEYS = 20
"""Keys that one person may have at a time."""


class ApiKeyError(Exception):
    """The key can't be made. The message is a sentence its owner can act on."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made. `token` is shown to its owner now and never again."""

    key: ApiKey
    token: str


def create_api_key(
    *, owner: User, name: str, scopes: Sequence[str], expires_at: dt.datetime | None, now: dt.datetime
) -> NewKey:
    """Make a key of `owner` that may do what `scopes` say, until `expires_at` (None: until it is revoked).

    Raises `ApiKeyError` for a name that another key of theirs has, for scopes that are unknown or not for them, for
    none, for a time that is over, and for more than `MOST_KEYS` keys.
    """
    name, wanted = name.strip(), sorted(set(scopes))
    if not name:
        raise ApiKeyError(_("Give the key a name."))
    if not wanted or not set(wanted) <= {scope.name for scope in scopes_for(owner)}:
        raise ApiKeyError(_("Choose what the key may do."))
    if expires_at is not None and expires_at <= now:
        raise ApiKeyError(_("The key would have expired already."))
    prefix, secret = new_secret()
    with transaction.atomic():
        User.objects.select_for_update().get(pk=owner.pk)  # two at once count each other
        if ApiKey.objects.filter(owner=owner).live(now).count() >= MOST_KEYS:
            raise ApiKeyError(_("You have %(count)d keys: revoke one first.") % {"count": MOST_KEYS})
        try:
            with transaction.atomic():
                key = ApiKey.objects.create(
                    owner=owner,
                    name=name,
                    prefix=prefix,
                    secret_sha256=secret_sha256(secret),
                    scopes=wanted,
                    created_at=now,
                    expires_at=expires_at,
                )
        except IntegrityError:
            raise ApiKeyError(_("You have a key of this name: revoke it, or choose another name.")) from None
        record(
            actor=owner,
            action="api_key.created",
            target=key,
            data={
                "prefix": key.prefix,
                "scopes": wanted,
                "expires_at": expires_at.isoformat(timespec="seconds") if expires_at else "",
            },
            now=now,
        )
    return NewKey(key, token_of(prefix, secret))


def revoke_api_key(*, key: ApiKey, by: User, now: dt.datetime) -> bool:
    """End a key for good; False when it was revoked before. It opens nothing from the next request on."""
    with transaction.atomic():
        if not ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now):
            return False
        record(
            actor=by,
            action="api_key.revoked",
            target=key,
            data={"prefix": key.prefix, "owner": str(key.owner.public_id)},
            now=now,
        )
    return True
