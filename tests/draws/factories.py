"""Draws in every state, and what tests ask of them.

`make_draw()` is a published draw that takes entries at this moment, by the clock of PostgreSQL, which nobody can
turn. `make_draw(closes_in=-HOUR)` has closed; its entrants are then written straight into the table, because
no service would let them in any more.
"""

import datetime as dt
import io
import itertools
import os
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from accounts.models import User
from draws import services, vwd1
from draws.models import Draw, Entry, Prize
from payments.approvals import approve
from payments.models import Account, Posting
from tests.factories import admin, treasurer

HOUR = dt.timedelta(hours=1)
CASH = ("Main prize", "cash", 100_000, 1)
SMALL = ("Small prize", "cash", 10_000, 2)
CREDITS = ("Credits", "credits", 30, 1)
VOUCHER = ("Dinner for two", "voucher", 0, 1)

_numbers = itertools.count(1)


def make_draft(
    *, prizes: Any = (CASH, SMALL), closes_in: dt.timedelta = HOUR, pays: str = "at_once", **fields: Any
) -> Draw:
    """A draft; `prizes` are (title, kind, amount, quantity), `closes_in` counts from this moment."""
    number = next(_numbers)
    closes_at = timezone.now().replace(microsecond=0) + closes_in
    times = {
        "opens_at": closes_at - 3 * HOUR,
        "closes_at": closes_at,
        "draw_at": closes_at + dt.timedelta(minutes=10),
    }
    defaults = {"title": f"Draw {number}", "slug": f"draw-{number}", "rules": "One person, one entry."}
    draw = Draw.objects.create(**(defaults | times | fields))
    for position, (title, kind, amount, quantity) in enumerate(prizes, start=1):
        Prize.objects.create(
            draw=draw,
            title=title,
            kind=kind,
            amount=amount,
            quantity=quantity,
            position=position,
            pays=pays,
        )
    return draw


def fund(draw: Draw, *, extra: int = 0, reason: str = "Prize money") -> None:
    """Bring in what the prizes cost, and `extra` minor units of each unit; by two people where it takes two."""
    for unit, amount in services.prize_totals(draw).items():
        outcome = services.fund_draw(
            draw=draw,
            unit=unit,
            amount=amount + extra,
            by=admin(),
            reason=reason,
            idem_key=f"fund:{next(_numbers)}",
            now=timezone.now(),
        )
        if outcome.approval is not None:
            approve(approval=outcome.approval, by=treasurer(), now=timezone.now())


def make_draw(*, entrants: int = 0, members: Any = (), extra: int = 0, **fields: Any) -> Draw:
    """A published draw with `entrants` people without an account, and the entries of these members."""
    draw = make_draft(**fields)
    fund(draw, extra=extra)
    draw = services.publish_draw(draw=draw, by=admin(), now=draw.opens_at)
    add_entrants(draw, entrants)
    for member in members:
        add_entry(draw, member.email, member=member)
    return draw


def add_entry(draw: Draw, identity: str, *, weight: int = 1, member: User | None = None) -> Entry:
    """One entry, written straight into the table."""
    return add_entries_straight(draw, [(identity, weight, member)])[0]


def add_entrants(draw: Draw, count: int) -> list[Entry]:
    """`count` people without an account, holding 1 to 3 tickets."""
    return add_entries_straight(draw, [(f"guest{n}@example.org", 1 + n % 3, None) for n in range(count)])


def add_entries_straight(draw: Draw, people: list[tuple[str, int, User | None]]) -> list[Entry]:
    """Entries for (identity, weight, member), as the services would write them."""
    made = []
    for identity, weight, member in people:
        salt = os.urandom(vwd1.SALT_BYTES)
        made.append(
            Entry(
                draw=draw,
                identity=identity,
                member=member,
                name=member.display_name if member else f"Guest {identity.partition('@')[0]}",
                salt=salt,
                pid=vwd1.public_id(scope=str(draw.scope), salt=salt, identity=identity),
                weight=weight,
                entered_at=draw.opens_at,
            )
        )
    return Entry.objects.bulk_create(made)


def make_frozen(*, entrants: int = 10, **fields: Any) -> Draw:
    """A draw that was frozen at its cutoff two hours ago and is due."""
    draw = make_draw(entrants=entrants, closes_in=-2 * HOUR, **fields)
    frozen = services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
    assert frozen is not None
    return frozen


def make_executed(**fields: Any) -> Draw:
    """A draw that was drawn at its time."""
    draw = make_frozen(**fields)
    services.execute_draw(draw_id=draw.pk, now=draw.draw_at)
    draw.refresh_from_db()
    return draw


def call_off(draw: Draw, *, reason: str = "Rain") -> Draw:
    """Two people call a frozen draw off."""
    outcome = services.call_off_draw(draw=draw, by=admin(), reason=reason, now=draw.draw_at)
    assert outcome.approval is not None
    approve(approval=outcome.approval, by=treasurer(), now=draw.draw_at)
    draw.refresh_from_db()
    return draw


def import_csv(draw: Draw, text: str | bytes, *, file_name: str = "entrants.csv") -> Any:
    """Import a CSV given as text."""
    content = text.encode() if isinstance(text, str) else text
    return services.import_entries(
        draw=draw, file=io.BytesIO(content), file_name=file_name, by=admin(), now=timezone.now()
    )


def identities(draw: Draw) -> dict[str, int]:
    """Who is in the draw, with how many tickets."""
    return dict(Entry.objects.filter(draw=draw).values_list("identity", "weight"))


def entries_text(draw: Draw) -> str:
    """The entries file as the table says it should be, made the slow way."""
    lines, first = [], 0
    for entry in sorted(Entry.objects.filter(draw=draw), key=lambda entry: bytes(entry.pid)):
        lines.append(f"{entry.pid_hex},{first},{entry.weight}\n")
        first += entry.weight
    return "".join(lines)


def stored_text(draw: Draw) -> str:
    """The entries file as it is published."""
    with services.entries_file(draw) as file:
        return file.read().decode("ascii")


def winners_of(draw: Draw) -> list[tuple[int, int, str, str]]:
    """(slot, rank, pid, prize code), in the order of the slots."""
    rows = draw.winners.select_related("entry", "prize").order_by("slot")
    return [(row.slot, row.rank, row.entry.pid_hex, str(row.prize.code)) for row in rows]


def balance(code: str) -> int:
    """Balance of a ledger account in minor units; 0 where there is none."""
    account = Account.objects.filter(code=code).first()
    return account.balance if account else 0


def pool_of(draw: Draw, unit: str = "KES") -> tuple[int, int, int]:
    """Free, reserved and owed in the draw's pool."""
    parts = [f"pool:{draw.pool}:{unit}", f"prizes:{draw.pool}:{unit}", f"owed:{draw.pool}:{unit}"]
    free, reserved, owed = map(balance, parts)
    return free, reserved, owed


def assert_ledger_balances() -> None:
    """Every unit sums to zero over all postings, and every balance is the sum of its account's postings."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT unit, sum(amount) FROM payments_posting GROUP BY unit HAVING sum(amount) <> 0")
        assert cursor.fetchall() == []
        cursor.execute(
            """
            SELECT account.code FROM payments_account account
            LEFT JOIN payments_posting posting ON posting.account_id = account.id
            WHERE account.is_materialised GROUP BY account.id
            HAVING account.balance <> coalesce(sum(posting.amount), 0)
            """
        )
        assert cursor.fetchall() == []
    assert Posting.objects.exists()


def environment(cloned_db: Any) -> dict[str, str]:
    """Environment of a subprocess that sees this test's database and its stored files."""
    return cloned_db.env | {"MEDIA_ROOT": str(settings.MEDIA_ROOT)}
