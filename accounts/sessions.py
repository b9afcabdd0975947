"""Sessions in PostgreSQL, each with what its owner is shown of it: whose, from where, by what, when last.

`SESSION_ENGINE` names this module. Django reads the row with every request anyway, so knowing when it was last
seen costs nothing, and noting it is one statement in five minutes.
"""

import datetime as dt
from typing import Any

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import SignedInSession, User

SEEN_NOTED_EVERY = dt.timedelta(minutes=5)
"""How coarse `last_seen_at` is: so that a hundred pages are one write."""


class SessionStore(DatabaseStore):
    """Django's sessions in the database, with the columns of `SignedInSession`."""

    address: str | None = None
    user_agent: str = ""
    _row: SignedInSession | None = None

    @classmethod
    def get_model_class(cls) -> type[SignedInSession]:
        return SignedInSession

    def _get_session_from_db(self) -> SignedInSession | None:
        row: SignedInSession | None = super()._get_session_from_db()  # type: ignore[misc]
        self._row = row
        return row

    def create_model_instance(self, data: dict[str, Any]) -> SignedInSession:
        row: SignedInSession = super().create_model_instance(data)  # type: ignore[assignment]
        before = self._row if self._row and self._row.session_key == row.session_key else None
        row.account_id = int(data[SESSION_KEY]) if SESSION_KEY in data else None
        if row.account_id is not None:  # a visitor's is nobody's business
            row.address, row.user_agent = self.address, self.user_agent[:300]
        row.last_seen_at = timezone.now()
        row.created_at = before.created_at if before else row.last_seen_at
        if before:
            row.public_id = before.public_id
        self._row = row
        return row

    def note_use(self, *, now: dt.datetime) -> None:
        """Note that the session is in use, from where and by what; at most every `SEEN_NOTED_EVERY`."""
        row = self._row
        if row is None or row.account_id is None or row.last_seen_at > now - SEEN_NOTED_EVERY:
            return
        row.last_seen_at = now
        SignedInSession.objects.filter(pk=row.pk).update(
            last_seen_at=now, address=self.address, user_agent=self.user_agent[:300]
        )


def sessions_of(user: User, *, now: dt.datetime) -> list[SignedInSession]:
    """Sessions that are signed in as `user`, the latest seen first; not those that a new password has ended."""
    rows = SignedInSession.objects.filter(account=user, expire_date__gt=now).order_by("-last_seen_at")
    return [row for row in rows if row.get_decoded().get(HASH_SESSION_KEY) == user.get_session_auth_hash()]


def own_session(request: HttpRequest) -> str:
    """Key of the session that asks; empty where there is none."""
    return request.session.session_key or ""
