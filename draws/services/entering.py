"""Entering a draw: one person by a button, or a list of people from another app.

The cutoff holds under any race. An insert selects the draw row FOR SHARE where it is active, not frozen and
`clock_timestamp() < closes_at`; the freeze selects it FOR UPDATE. So an entry is in the entries file or it
was refused, also when its transaction is held open over the cutoff. The clock is PostgreSQL's: every web
server of the site then agrees on when a draw closes.
"""

import datetime as dt
from collections.abc import Iterable, Sequence

from django.db import connection, transaction
from django.utils.translation import gettext as _

from accounts.models import User
from draws import occasions, vwd1
from draws.models import Draw, Entry
from draws.services.eligibility import why_not_eligible
from draws.services.people import entry_of, has_verified_address
from draws.services.scopes import person_in_scope
from draws.services.staging import (
    EntryRefusedError,
    NewEntry,
    copy_into_stage,
    create_stage,
    insert_staged,
)
from draws.services.telling import tell
from notifications.services import Recipient

__all__ = [
    "EntryRefusedError",
    "NewEntry",
    "add_entries",
    "enter_draw",
    "entries_of",
    "lock_open_draw",
    "why_closed",
]

_OPEN_DRAW = """
    SELECT scope FROM draws_draw
    WHERE id = %s AND status = 'active' AND frozen_at IS NULL
      AND opens_at <= clock_timestamp() AND clock_timestamp() < closes_at
    FOR SHARE
"""


def enter_draw(*, draw: Draw, member: User, now: dt.datetime) -> Entry:
    """Enter a member with one ticket and send the receipt. Entering again returns the first entry.

    Someone who was imported under this address before they had an account gets that entry, with its tickets.
    Raises `EntryRefusedError` when the draw is not open, or not for this member, or the address is not verified.
    """
    if draw.audience in (Draw.Audience.LIST, Draw.Audience.APP):
        raise EntryRefusedError(why_not_eligible(draw=draw, member=member))
    with transaction.atomic():
        scope = lock_open_draw(draw)
        if not has_verified_address(member):
            # Else anyone could take the place of the person whose address it is.
            raise EntryRefusedError(_("Confirm your e-mail address first; then enter."))
        if (entry := entry_of(draw=draw, member=member)) is None:
            if why_not := why_not_eligible(draw=draw, member=member):
                raise EntryRefusedError(why_not)
            entry = _new_entry(draw=draw, member=member, scope=scope, now=now)
        elif entry.member_id is None:
            entry.member = member
            entry.save(update_fields=["member"])
        # Said once, whoever comes second: the key is the entry's.
        tell(
            draw=draw,
            kind="draws.entry_receipt",
            context={"draw_at": draw.draw_at},
            recipients=[Recipient.of(member, params={"pid": entry.pid_hex, "tickets": entry.weight})],
            idem_key=f"draw:{draw.public_id}:receipt:{entry.pk}",
            now=now,
        )
        occasions.entered(draw=draw, member=member, now=now)
    return entry


def _new_entry(*, draw: Draw, member: User, scope: str, now: dt.datetime) -> Entry:
    try:
        identity = vwd1.normalise_identity(member.email)
    except vwd1.IdentityError as error:
        raise EntryRefusedError(str(error)) from error
    person = person_in_scope(draw=draw, scope=scope, member=member, identity=identity)
    entry, _created = Entry.objects.get_or_create(
        draw=draw,
        identity=person.identity,
        defaults={
            "member": member,
            "name": member.display_name,
            "salt": person.salt,
            "pid": person.pid,
            "entered_at": now,
        },
    )
    if entry.member_id != member.pk:
        raise EntryRefusedError(_("This address is in the draw already, with another account."))
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


def entries_of(member: User, *, limit: int = 20) -> Sequence[Entry]:
    """A member's newest entries with their draws, for their own pages."""
    return list(Entry.objects.filter(member=member).select_related("draw").order_by("-pk")[:limit])
