"""One person, one public id in all draws of a scope, so that an exclusion can be checked by anyone.

The salt that a person got in one draw of a scope is looked up by the next. Two draws that are entered at the same
moment would each make a salt of their own; advisory locks keep them apart. Alone in its scope, as most draws are, a
draw pays one lock that nobody waits for.

Locks, in this order: *scope* (entering: shared; publishing another draw into the scope: exclusive), *lists*
(one person: shared; a list: exclusive), *person* (exclusive).
"""

import os
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from accounts.models import User
from draws import vwd1
from draws.models import Draw, Entry

_SCOPE, _LISTS, _PERSON = range(3)


@dataclass(frozen=True, slots=True)
class Person:
    """How a scope knows somebody."""

    identity: str
    salt: bytes
    pid: bytes


def open_scope(scope: UUID | str) -> None:
    """Keep everybody from entering any draw of the scope until another draw of it is published."""
    _lock("pg_advisory_xact_lock", str(scope), _SCOPE)


def person_in_scope(*, draw: Draw, scope: str, member: User, identity: str) -> Person:
    """The person as other draws of the scope know them, by account or by address; else with a fresh salt.

    Until the caller's transaction ends, nobody else enters this address in the scope.
    """
    _lock("pg_advisory_xact_lock_shared", scope, _SCOPE)
    if others := _other_draws(draw, scope):
        _lock("pg_advisory_xact_lock_shared", scope, _LISTS)
        _lock("pg_advisory_xact_lock", f"{scope} {identity}", _PERSON)
        known = Entry.objects.filter(draw__in=others, salt__isnull=False, identity__isnull=False)
        entry = (
            known.filter(member=member).order_by("pk").first()
            or known.filter(identity=identity).order_by("pk").first()
        )
        if entry is not None:
            return Person(str(entry.identity), bytes(entry.salt or b""), bytes(entry.pid))
    salt = os.urandom(vwd1.SALT_BYTES)
    return Person(identity, salt, vwd1.public_id(scope=scope, salt=salt, identity=identity))


def unify_staged(draw: Draw) -> None:
    """Give staged people whom another draw of the scope knows the salt and pid they have there. One statement.

    Lines that won't become entries (somebody's second one, or of somebody in this draw already) keep a pid of
    their own, by which an import finds out that they were refused.
    """
    scope = str(draw.scope)
    _lock("pg_advisory_xact_lock_shared", scope, _SCOPE)
    if not (others := _other_draws(draw, scope)):
        return
    _lock("pg_advisory_xact_lock", scope, _LISTS)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE draws_staged staged SET salt = known.salt, pid = known.pid
            FROM (
                SELECT DISTINCT ON (identity) identity, salt, pid FROM draws_entry
                WHERE draw_id = ANY(%(others)s) AND salt IS NOT NULL AND identity IS NOT NULL
                ORDER BY identity, id
            ) known
            JOIN (
                SELECT identity, min(line) AS line FROM draws_staged WHERE reason IS NULL GROUP BY identity
            ) first USING (identity)
            WHERE staged.identity = known.identity AND staged.line = first.line AND staged.reason IS NULL
                AND NOT EXISTS (
                    SELECT 1 FROM draws_entry entry
                    WHERE entry.draw_id = %(draw)s AND entry.identity = staged.identity
                )
            """,
            {"others": others, "draw": draw.pk},
        )


def _other_draws(draw: Draw, scope: str) -> list[int]:
    found = Draw.objects.filter(scope=scope, published_at__isnull=False).exclude(pk=draw.pk)
    return list(found.values_list("pk", flat=True))


def _lock(function: str, key: str, level: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(hashtextextended('draws.scope ' || %s, %s))", [key, level])
