"""Entering a draw: one person by a button, or a list of people at once.

The cutoff holds under any race. An insert selects the draw row FOR SHARE where it is active, not frozen and
`clock_timestamp() < closes_at`; the freeze selects it FOR UPDATE. So an entry is in the entries file or it
was refused, also when its transaction is held open over the cutoff. The clock is PostgreSQL's: every web
server of the site then agrees on when a draw closes.
"""

import datetime as dt
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.utils.translation import gettext as _

from accounts.models import User
from draws import vwd1
from draws.models import Draw, Entry
from draws.services.errors import DrawError
from notifications.services import Recipient, notify

_OPEN_DRAW = """
    SELECT scope FROM draws_draw
    WHERE id = %s AND status = 'active' AND frozen_at IS NULL
      AND opens_at <= clock_timestamp() AND clock_timestamp() < closes_at
    FOR SHARE
"""


# What lists may fill; the rest is kept for people who enter one by one, one ticket each.
_MOST_LISTED_TICKETS = vwd1.MAX_TICKETS - 2**32


class EntryRefusedError(DrawError):
    """The draw takes no entry from this person now. The message says why."""


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A person to be entered: identity as `vwd1.normalise_identity` returns it, tickets, name."""

    identity: str
    weight: int = 1
    name: str = ""


def enter_draw(*, draw: Draw, member: User, now: dt.datetime) -> Entry:
    """Enter a member with one ticket and send the receipt. Entering again returns the first entry.

    Raises `EntryRefusedError` when the draw is not open, or not for members.
    """
    if draw.audience == Draw.Audience.LIST:
        raise EntryRefusedError(_("This draw is for invited people only."))
    identity = vwd1.normalise_identity(member.email)
    with transaction.atomic():
        scope = lock_open_draw(draw)
        salt = os.urandom(vwd1.SALT_BYTES)
        entry, created = Entry.objects.get_or_create(
            draw=draw,
            identity=identity,
            defaults={
                "member": member,
                "name": member.display_name,
                "salt": salt,
                "pid": vwd1.public_id(scope=scope, salt=salt, identity=identity),
                "entered_at": now,
            },
        )
        if created:
            notify(
                kind="draws.entry_receipt",
                about=draw.about,
                context={"draw": draw.title, "slug": draw.slug, "draw_at": draw.draw_at},
                recipients=[Recipient.of(member, params={"pid": entry.pid_hex, "tickets": entry.weight})],
                not_before=now,
                idem_key=f"draw:{draw.public_id}:receipt:{entry.pk}",
                now=now,
            )
    return entry


def lock_open_draw(draw: Draw) -> str:
    """Hold the draw open until the caller's transaction ends; returns its scope.

    Raises `EntryRefusedError` with the reason when it takes no entries at this moment.
    """
    with connection.cursor() as cursor:
        cursor.execute(_OPEN_DRAW, [draw.pk])
        row = cursor.fetchone()
        if row is not None:
            return str(row[0])
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    draw.refresh_from_db(fields=["status", "frozen_at", "opens_at", "closes_at", "draw_at", "manifest"])
    raise EntryRefusedError(why_closed(draw, now))


def why_closed(draw: Draw, now: dt.datetime) -> str:
    """Why a draw takes no entries at `now`, as a sentence for the person who wanted to enter."""
    match draw.phase(now):
        case "draft":
            return _("This draw is not published yet.")
        case "upcoming":
            return _("Entries are not open yet.")
        case "cancelled" | "void":
            return _("This draw does not take place.")
        case "completed":
            return _("This draw has been drawn already.")
    return _("Entries are closed.")


def add_entries(*, draw: Draw, entries: Iterable[NewEntry], now: dt.datetime) -> int:
    """Enter a list of people for another app, all or none; returns how many were new.

    Identities must be normalised and weights from 1 to 2^53 − 1. A person already entered keeps the first
    entry. Raises `EntryRefusedError` when the draw is not open.
    """
    with transaction.atomic():
        create_stage()
        copy_into_stage(scope=lock_open_draw(draw), rows=enumerate(entries, start=1))
        return insert_staged(draw=draw, source=Entry.Source.APP, now=now)


def create_stage() -> None:
    """Make the table that people are copied into; it lives as long as the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE draws_staged (line bigint, identity text, name text, weight bigint, "
            "salt bytea, pid bytea) ON COMMIT DROP"
        )


def copy_into_stage(*, scope: str, rows: Iterable[tuple[int, NewEntry]]) -> int:
    """COPY (line number, person) pairs into the stage, each with a fresh salt; returns how many there were."""
    count = 0
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY draws_staged (line, identity, name, weight, salt, pid) FROM STDIN (FORMAT BINARY)"
        ) as copy,
    ):
        copy.set_types(["int8", "text", "text", "int8", "bytea", "bytea"])
        for line, entry in rows:
            salt = os.urandom(vwd1.SALT_BYTES)
            pid = vwd1.public_id(scope=scope, salt=salt, identity=entry.identity)
            copy.write_row((line, entry.identity, entry.name, entry.weight, salt, pid))
            count += 1
    return count


def insert_staged(*, draw: Draw, source: str, now: dt.datetime) -> int:
    """Make entries of what is staged, in one statement; who is in the draw already stays as they are.

    A person is linked to the account whose verified address it is. Raises `EntryRefusedError` when the draw
    would then hold more tickets than `vwd1` can count.
    """
    with connection.cursor() as cursor:
        # Lists are added one after the other, so that two of them can't pass the limit together.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('draws.entries', %s))", [draw.pk])
        cursor.execute(
            """
            INSERT INTO draws_entry (draw_id, identity, member_id, name, pid, salt, weight, source, entered_at)
            SELECT %s, staged.identity, member.id, staged.name, staged.pid, staged.salt, staged.weight, %s, %s
            FROM draws_staged staged
            LEFT JOIN (accounts_user member
                JOIN account_emailaddress address ON address.user_id = member.id AND address.verified
                    AND address.email = member.email)
                ON member.email = staged.identity AND member.is_active
            ORDER BY staged.line
            ON CONFLICT (draw_id, identity) DO NOTHING
            """,
            [draw.pk, source, now],
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


def entries_of(member: User, *, limit: int = 20) -> Sequence[Entry]:
    """A member's newest entries with their draws, for their own pages."""
    return list(Entry.objects.filter(member=member).select_related("draw").order_by("-pk")[:limit])
