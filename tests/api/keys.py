"""Keys for tests, and asking with them."""

import datetime as dt
import itertools
from typing import Any

from django.test import Client
from django.utils import timezone

from accounts.models import User
from config.api_keys import NewKey, create_api_key

_numbers = itertools.count(1)


def make_key(owner: User, *scopes: str, days: int | None = 90, now: dt.datetime | None = None) -> NewKey:
    """A key of `owner` with these scopes."""
    now = now or timezone.now()
    expires_at = now + dt.timedelta(days=days) if days else None
    return create_api_key(
        owner=owner, name=f"Key {next(_numbers)}", scopes=scopes, expires_at=expires_at, now=now
    )


def bearer(token: str) -> dict[str, str]:
    """Headers that show `token`."""
    return {"Authorization": f"Bearer {token}"}


def key_client(owner: User, *scopes: str) -> Client:
    """A client that comes with a fresh key of `owner`."""
    return Client(headers=bearer(make_key(owner, *scopes).token))


def session_client(user: User) -> Client:
    """A client that is signed in."""
    client = Client()
    client.force_login(user)
    return client


def send(client: Client, path: str, body: Any = None, **extra: Any) -> Any:
    """POST `body` as JSON."""
    return client.post(path, {} if body is None else body, content_type="application/json", **extra)
