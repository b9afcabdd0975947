"""Many entrants at once: copied into a table that lives as long as the transaction, then made entries.

What can't be entered is staged too, with the reason: so a list may be streamed, whatever is wrong with how much
of it, and nothing of it is kept in memory.
"""

import datetime as dt
import os
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection
from django.utils.translation import gettext as _

from draws import vwd1
from draws.models import Draw
from draws.services.errors import DrawError
from draws.services.scopes import unify_staged

# What lists may fill; the rest is kept for people who enter one by one, one ticket each.
_MOST_LISTED_TICKETS = vwd1.MAX_TICKETS - 2**32
_COLUMNS = {
    "line": "int8",
    "identity": "text",
    "name": "text",
    "weight": "int8",
    "salt": "bytea",
    "pid": "bytea",
    "content": "text",
    "reason": "text",
    "listed": "text",
}


# One person, one entry: whoever is listed under another address of theirs is entered under their own. `listed` keeps what
# the list said; the public id is `vwd1.public_id` of the new identity.
_NAME_MEMBERS = """
UPDATE draws_staged staged SET
    listed = staged.identity,
    identity = member.email,
    pid = sha256(convert_to('vwd1/pid', 'UTF8') || '\\x00' || convert_to(%s, 'UTF8') || '\\x00' || staged.salt
        || convert_to(member.email, 'UTF8'))
FROM account_emailaddress address JOIN accounts_user member ON member.id = address.user_id AND member.is_active
WHERE address.verified AND lower(address.email) = staged.identity AND lower(address.email) <> member.email
    AND staged.reason IS NULL
    AND EXISTS (SELECT 1 FROM account_emailaddress own WHERE own.user_id = member.id AND own.verified
        AND lower(own.email) = member.email)
"""


class EntryRefusedError(DrawError):
    """The draw takes no entry from this person now. The message says why."""


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A person to be entered: identity as `vwd1.normalise_identity` returns it, tickets, name."""

    identity: str
    weight: int = 1
    name: str = ""


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line of a list that names nobody who can be entered: what it says, and why not."""

    content: str
    reason: str


def create_stage() -> None:
    """Make the table anew: one transaction may add several lists, one after the other."""
    columns = ", ".join(f"{name} {of_type}" for name, of_type in _COLUMNS.items())
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.draws_staged")
        cursor.execute(f"CREATE TEMPORARY TABLE draws_staged ({columns}) ON COMMIT DROP")


def copy_into_stage(*, scope: str, rows: Iterable[tuple[int, NewEntry | RefusedLine]]) -> int:
    """COPY (line number, person) pairs into the stage, each with a fresh salt; returns how many people."""
    count = 0
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY draws_staged ({', '.join(_COLUMNS)}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(list(_COLUMNS.values()))
        for line, entry in rows:
            if isinstance(entry, RefusedLine):
                copy.write_row((line, None, None, None, None, None, entry.content, entry.reason, None))
                continue
            salt = os.urandom(vwd1.SALT_BYTES)
            pid = vwd1.public_id(scope=scope, salt=salt, identity=entry.identity)
            copy.write_row((line, entry.identity, entry.name, entry.weight, salt, pid, None, None, None))
            count += 1
    return count


def insert_staged(*, draw: Draw, source: str, now: dt.datetime) -> int:
    """Make entries of what is staged, in one statement; who is in the draw already stays as they are.

    Whom another draw of the scope knows has the same public id here; a person is linked to the account whose verified address it is. Raises `EntryRefusedError` when the draw
    would then hold more tickets than `vwd1` can count.
    """
    with connection.cursor() as cursor:
        # Lists are added one after the other, so that two of them can't pass the limit together.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('draws.entries', %s))", [draw.pk])
        cursor.execute(_NAME_MEMBERS, [str(draw.scope)])
        unify_staged(draw)
        cursor.execute(
            """
            INSERT INTO draws_entry (draw_id, identity, member_id, name, pid, salt, weight, source, entered_at)
            SELECT %s, staged.identity, member.id, staged.name, staged.pid, staged.salt, staged.weight, %s, %s
            FROM draws_staged staged
            LEFT JOIN accounts_user member ON member.email = staged.identity AND member.is_active
                -- Looked up for those who match: joined, it is guessed to be one row and looped over for everyone.
                AND EXISTS (SELECT 1 FROM account_emailaddress address WHERE address.user_id = member.id
                    AND address.verified AND lower(address.email) = member.email)
            WHERE staged.reason IS NULL AND NOT EXISTS (
                -- In already, under an address that they had then.
                SELECT 1 FROM draws_entry entry WHERE entry.draw_id = %s AND entry.member_id = member.id)
            ORDER BY staged.line
            ON CONFLICT (draw_id, identity) DO NOTHING
            """,
            [draw.pk, source, now, draw.pk],
        )
        added = int(cursor.rowcount)
        cursor.execute("SELECT sum(weight) FROM draws_entry WHERE draw_id = %s", [draw.pk])
        tickets = int(cursor.fetchone()[0] or 0)
    if tickets > _MOST_LISTED_TICKETS:
        raise EntryRefusedError(
            _("These entries would make %(tickets)d tickets in all; a draw holds at most %(most)d.")
            % {"tickets": tickets, "most": _MOST_LISTED_TICKETS}
        )
    return added
