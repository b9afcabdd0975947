"""What draws keep of a person: entries, prizes, vouchers, addresses, and lines of lists that were refused.

A frozen entry keeps its public id and its tickets, so that what was promised still holds and anyone can check it; who
it is goes, and with the salt any way to find out. An entry in a draw that is not frozen is taken out. A prize that was
won and not had yet waits until its deadline and then goes to the next rank, like every prize that nobody claims.
"""

import datetime as dt
from typing import Any

from django.db import connection
from django.db.models import F, Q

from accounts.privacy import Person
from draws.models import Award, Draw, Entry, EntryUpload, ImportRejection, PrizeAddress, Winner
from notifications.models import Message
from notifications.privacy import blank_value

KEEP_REJECTIONS = dt.timedelta(days=90)
KEEP_ADDRESSES = dt.timedelta(days=90)


def export(*, person: Person) -> dict[str, Any]:
    """Their entries with what proves them, and their prizes with what belongs to them."""
    entries = Entry.objects.filter(_theirs(person)).select_related("draw").order_by("pk")
    awards = Award.objects.filter(_theirs(person)).select_related("voucher", "address").order_by("pk")
    return {
        "entries": [
            {
                "draw": entry.draw.title,
                "draw_id": str(entry.draw.public_id),
                "identity": entry.identity,
                "name": entry.name,
                "public_id": entry.pid_hex,
                "salt": entry.salt_hex,
                "tickets": entry.weight,
                "source": entry.source,
                "entered_at": entry.entered_at,
            }
            for entry in entries.iterator()
        ],
        "prizes": [
            {
                "prize": award.title,
                "about": award.about,
                "kind": award.kind,
                "unit": award.unit,
                "amount": award.amount,
                "state": award.state,
                "won_at": award.created_at,
                "claim_until": award.claim_until,
                "claimed_at": award.claimed_at,
                "paid_at": award.paid_at,
                "note": award.note,
                "voucher": _voucher(award),
                "address": _address(award),
            }
            for award in awards
        ],
    }


def _voucher(award: Award) -> dict[str, Any] | None:
    voucher = getattr(award, "voucher", None)
    if voucher is None:
        return None
    return {
        "code": voucher.spelled,
        "value": voucher.value,
        "terms": voucher.terms,
        "valid_until": voucher.expires_at,
        "used_at": voucher.redeemed_at,
    }


def _address(award: Award) -> dict[str, str] | None:
    address = getattr(award, "address", None)
    if address is None:
        return None
    names = ("name", "street", "city", "postcode", "country", "phone")
    return {name: getattr(address, name) for name in names}


def erase(*, person: Person, now: dt.datetime) -> dict[str, int]:
    """Forget who they are, everywhere in the draws. Safe to run again; returns how many rows of what.

    Until the caller's transaction ends none of their draws is frozen, drawn, or hands a prize on: whoever did that
    at the same moment could write down again what is erased here. Others may enter meanwhile.
    """
    entries = Entry.objects.filter(_theirs(person))
    draws = sorted(set(entries.values_list("draw", flat=True)))
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM draws_draw WHERE id = ANY(%s) ORDER BY id FOR SHARE", [draws])
    still_open = Draw.objects.filter(pk__in=draws, frozen_at=None)
    counts = {"entries_taken_out": entries.filter(draw__in=still_open).delete()[0]}
    awards = Award.objects.filter(_theirs(person))
    counts["addresses"] = PrizeAddress.objects.filter(award__in=awards).delete()[0]
    # A thing that has not been sent yet can't be any more: its winner is as good as one who never claimed.
    unsent = awards.filter(state=Award.State.CLAIMED, kind=Award.PHYSICAL)
    Winner.objects.filter(award__in=unsent.values("pk"), state=Winner.State.CLAIMED).update(
        state=Winner.State.NOTIFIED
    )
    unsent.update(state=Award.State.CLAIMABLE, claimed_at=None)
    counts["prizes"] = awards.update(identity=None, note="", claim_version=F("claim_version") + 1)
    counts["entries"] = entries.update(identity=None, member=None, name="", salt=None)
    quoted = ImportRejection.objects.filter(_says(person, "reason")).update(reason="", content="")
    counts["refused_lines"] = quoted + ImportRejection.objects.filter(_says(person, "content")).update(
        content=""
    )
    counts["uploads"] = EntryUpload.objects.filter(_says(person, "why")).update(why="")
    stopped = Message.objects.filter(_says(person, "context__why"), kind="draws.import_stopped")
    blank_value(stopped, "why")
    return counts


def erase_old(*, now: dt.datetime) -> dict[str, int]:
    """What is of no use any more: refused lines of old imports, and addresses of things long sent."""
    old = Q(entry_import__created_at__lt=now - KEEP_REJECTIONS)
    lines = ImportRejection.objects.filter(old).exclude(content="", reason="")
    sent = PrizeAddress.objects.filter(award__state=Award.State.PAID, award__paid_at__lt=now - KEEP_ADDRESSES)
    return {"refused_lines": lines.update(content="", reason=""), "addresses": sent.delete()[0]}


def prizes_waiting(*, person: Person) -> list[Award]:
    """Prizes that are theirs and that they have not had yet."""
    waiting = (Award.State.ALLOCATED, Award.State.CLAIMABLE)
    not_had = Q(state__in=waiting) | Q(state=Award.State.CLAIMED, kind=Award.PHYSICAL)
    return list(Award.objects.filter(_theirs(person)).filter(not_had).order_by("pk"))


def entries_running(*, person: Person) -> tuple[int, int]:
    """In how many draws they still may win: (not frozen, which they would leave; frozen, which go on without a name)."""
    entries = Entry.objects.filter(_theirs(person), draw__in=Draw.objects.unfinished())
    return entries.filter(draw__frozen_at=None).count(), entries.exclude(draw__frozen_at=None).count()


def _theirs(person: Person) -> Q:
    mine = Q(member=None, identity__in=person.identities)
    return mine | Q(member=person.member) if person.member is not None else mine


def _says(person: Person, column: str) -> Q:
    """Where a text quotes them: a sentence about a line that could not be read quotes the line."""
    found = Q(pk__in=[])
    for word in person.words:
        found |= Q(**{f"{column}__icontains": word})
    return found
