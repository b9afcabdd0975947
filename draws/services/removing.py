"""Taking people out: an entry or a whole import while entries are open, and disqualifying an entry that is frozen.

Before the freeze an entry is deleted, and the trail keeps its public id. After it nothing is taken out: a disqualified
entry keeps its tickets, and the ranks they draw are skipped, with the reason in the proof. That is decided before the
number of the draw can be known, or it would be a choice of winners.
"""

import datetime as dt
from collections.abc import Mapping

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from draws import occasions
from draws.models import Draw, Entry, EntryDisqualification, EntryImport
from draws.services.entering import lock_open_draw
from draws.services.errors import DrawError
from draws.services.people import entry_of
from draws.services.randomness import standing_text
from draws.services.telling import tell
from notifications.services import Recipient

REASON_LENGTH = 300
_TOLD_AT_ONCE = 1_000


class RemovalError(DrawError):
    """Nobody can be taken out like this. Nothing was changed; the message says why."""


def withdraw_entry(*, entry: Entry, by: User, reason: str, now: dt.datetime) -> None:
    """Take one entry out of an open draw, with a reason that its person is told.

    Raises `RemovalError` without a reason or when it is gone already, `EntryRefusedError` when entries are not open.
    """
    reason = _given(reason)
    with transaction.atomic():
        lock_open_draw(entry.draw)
        recipient = _recipient(entry)
        _take_out(entry, by=by, reason=reason, now=now)
        if recipient is not None:
            tell(
                draw=entry.draw,
                kind="draws.entry_withdrawn",
                context={"reason": reason},
                recipients=[recipient],
                idem_key=f"draw:{entry.draw.public_id}:withdrawn:{entry.pk}",
                now=now,
            )


def leave_draw(*, draw: Draw, member: User, now: dt.datetime) -> bool:
    """Take a member's own entry out of an open draw; False when they have none.

    An entry of a list that somebody else made is theirs too. Raises `EntryRefusedError` when entries are not open, and
    `RemovalError` where another part of the site enters people.
    """
    with transaction.atomic():
        lock_open_draw(draw)
        was_in = False
        while (entry := entry_of(draw=draw, member=member)) is not None:
            if entry.source == Entry.Source.APP:
                raise RemovalError(
                    _("You were entered by another part of the site, and can leave only there.")
                )
            _take_out(entry, by=member, reason="", now=now)
            was_in = True
    return was_in


def withdraw_import(*, entry_import: EntryImport, by: User, reason: str, now: dt.datetime) -> int:
    """Take out everyone an import brought who is still in; returns how many. Its report stays, for the trail.

    Members among them are told; the others never heard that they were in. Raises `RemovalError` without a reason or when
    nobody of it is left, `EntryRefusedError` when entries are not open.
    """
    reason = _given(reason)
    draw = entry_import.draw
    with transaction.atomic():
        lock_open_draw(draw)
        theirs = entries_of_import(entry_import)
        named = theirs.filter(member__isnull=False).select_related("member").order_by("pk")
        recipients = [recipient for entry in named if (recipient := _recipient(entry)) is not None]
        count = theirs.delete()[0]
        if not count:
            raise RemovalError(_("Nobody of this import is in the draw any more."))
        record(
            actor=by,
            action="draw.import_withdrawn",
            target=draw,
            data={"import": str(entry_import.public_id), "entries": count, "reason": reason},
            now=now,
        )
        for start in range(0, len(recipients), _TOLD_AT_ONCE):
            tell(
                draw=draw,
                kind="draws.entry_withdrawn",
                context={"reason": reason},
                recipients=recipients[start : start + _TOLD_AT_ONCE],
                idem_key=f"draw:{draw.public_id}:import-withdrawn:{entry_import.public_id}:{start}",
                now=now,
            )
    return count


def entries_of_import(entry_import: EntryImport) -> QuerySet[Entry]:
    """The entries that an import brought: all of one import came in at one moment."""
    return Entry.objects.filter(
        draw=entry_import.draw, source=Entry.Source.IMPORT, entered_at=entry_import.created_at
    )


def why_not_disqualified(entry: Entry, now: dt.datetime) -> str:
    """Why a frozen entry can't be disqualified now; empty where it can."""
    draw = entry.draw
    if draw.manifest is None or draw.status != Draw.Status.ACTIVE or draw.executed_at is not None:
        return _(
            "An entry is disqualified between the freeze and the draw: before, withdraw it; after, replace the winner."
        )
    if draw.draw_at <= now or standing_text(draw) is not None:
        return _(
            "The number of this draw may be known by now: let it be drawn, and replace the winner if need be."
        )
    if EntryDisqualification.objects.filter(entry=entry).exists():
        return _("This entry is disqualified already.")
    return ""


def disqualify_entry(*, entry: Entry, by: User, reason: str, now: dt.datetime) -> EntryDisqualification:
    """Let a frozen entry win nothing; the reason is published where its rank is skipped, and its person is told.

    Raises `RemovalError` without a reason, outside the time between freeze and draw, and once the draw's number may be
    known.
    """
    reason = _given(reason)
    with transaction.atomic():
        draw = Draw.objects.select_for_update().get(pk=entry.draw_id)
        entry = Entry.objects.select_related("member").get(pk=entry.pk)
        entry.draw = draw
        if why_not := why_not_disqualified(entry, now):
            raise RemovalError(why_not)
        made = EntryDisqualification.objects.create(draw=draw, entry=entry, reason=reason, by=by, at=now)
        if entry.member_id is not None:
            occasions.left(draw=draw, member_id=entry.member_id, now=now)
        record(
            actor=by,
            action="draw.entry_disqualified",
            target=draw,
            data={"pid": entry.pid_hex, "reason": reason},
            now=now,
        )
        if (recipient := _recipient(entry)) is not None:
            tell(
                draw=draw,
                kind="draws.entry_disqualified",
                context={"reason": reason},
                recipients=[recipient],
                idem_key=f"draw:{draw.public_id}:disqualified:{entry.pk}",
                now=now,
            )
    return made


def disqualified_ranks(draw: Draw, pid_of_rank: Mapping[int, str]) -> dict[int, str]:
    """Rank to the reason why its entry can't win."""
    rows = EntryDisqualification.objects.filter(draw=draw).values_list("entry__pid", "reason")
    reasons = {bytes(pid).hex(): reason for pid, reason in rows}
    return {rank: reasons[pid] for rank, pid in pid_of_rank.items() if pid in reasons}


def _take_out(entry: Entry, *, by: User, reason: str, now: dt.datetime) -> None:
    if not Entry.objects.filter(pk=entry.pk).delete()[0]:
        raise RemovalError(_("This entry is not in the draw any more."))
    record(
        actor=by,
        action="draw.entry_withdrawn",
        target=entry.draw,
        data={"pid": entry.pid_hex, "tickets": entry.weight, "reason": reason},
        now=now,
    )
    if entry.member_id is not None:
        occasions.left(draw=entry.draw, member_id=entry.member_id, now=now)


def _recipient(entry: Entry) -> Recipient | None:
    """The entry's person; None where the site can't write to them."""
    params = {"pid": entry.pid_hex}
    if entry.member is not None:
        return Recipient.of(entry.member, params=params)
    if "@" in (entry.identity or ""):
        return Recipient(address=entry.identity or "", name=entry.name, params=params)
    return None


def _given(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise RemovalError(_("Say why: the person is told, and it is kept in the audit trail."))
    if len(reason) > REASON_LENGTH:
        raise RemovalError(_("The person is told the reason: say it in 300 characters."))
    return reason
