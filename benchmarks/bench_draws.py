"""The life of a draw of a million entries: import, freeze, execute, tell everybody; and of one of a thousand.

`python -m benchmarks.bench_draws`. Everything runs in a scratch database and a scratch folder, each step in a
process of its own, whose memory is compared with what it had before the step began. The peers run in the same way:

- import: a COPY of the same rows into a copy of the table, with its indexes and foreign keys but without staging,
  checks, links or report;
- freeze: a bare `COPY … ORDER BY` streamed through SHA-256 and the Merkle tree, without storing a file, a manifest
  or a notice;
- telling everybody what the execution queued (after the import all entrants were given accounts, so that everybody
  has an inbox): one `INSERT … SELECT` of the same rows into the same table, with the same indexes: no pages, no
  cursor, no counting. Before each round the table is emptied and the messages are made due again.
"""

import datetime as dt
import hashlib
import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import psycopg

from benchmarks.figures import show, spread
from benchmarks.scratch import MEBIBYTE, Measured, in_a_process, scratch_database

ENTRIES = 1_000_000
MEMBERS = 20_000  # of the entrants have an account
WINNERS = 1_000
SMALL = 1_000
SMALL_WINNERS = 10
ROUNDS = 3
GROWTH = 40  # MB over idle

_BARE_TABLE = """
CREATE TABLE bare_entry (LIKE draws_entry INCLUDING ALL,
    FOREIGN KEY (draw_id) REFERENCES draws_draw (id),
    FOREIGN KEY (member_id) REFERENCES accounts_user (id))
"""
_BARE_ROWS = """
COPY (
    SELECT encode(pid, 'hex'), sum(weight) OVER (ORDER BY pid ROWS UNBOUNDED PRECEDING) - weight, weight
    FROM draws_entry WHERE draw_id = {draw_id:d} ORDER BY pid
) TO STDOUT (FORMAT CSV)
"""
_ACCOUNTS = """
INSERT INTO accounts_user (public_id, email, display_name, password, time_zone, language, phone, country,
    shows_name, accepts_promotions, is_staff, is_superuser, is_active, date_joined)
SELECT gen_random_uuid(), identity, name, '', 'Africa/Nairobi', 'en', '', 'KE', false, false, false, false, true, now()
FROM draws_entry WHERE draw_id = %s AND member_id IS NULL
"""
_LINKS = """
UPDATE draws_entry AS entry SET member_id = member.id
FROM accounts_user AS member WHERE entry.draw_id = %s AND entry.member_id IS NULL AND member.email = entry.identity
"""
_BARE_DELIVERIES = """
INSERT INTO notifications_delivery (message_id, recipient_key, member_id, channel, address, name, language, time_zone,
    params, state, skip_reason, attempts, lost_answers, next_attempt_at, provider_id, provider_code, provider_text,
    created_at, handed_at)
SELECT 1000000, 'member:' || member.id, member.id, 'in_app', '', member.display_name, member.language,
    member.time_zone, jsonb_build_object('pid', encode(entry.pid, 'hex'), 'tickets', entry.weight), 'delivered', '',
    0, 0, now(), '', '', '', now(), now()
FROM draws_entry AS entry JOIN accounts_user AS member ON member.id = entry.member_id WHERE entry.draw_id = %s
"""


def main() -> None:
    """Run all of it and print the figures."""
    with scratch_database("draws") as address, tempfile.TemporaryDirectory() as folder:
        os.environ["DATABASE_URL"] = address
        os.environ["MEDIA_ROOT"] = str(Path(folder) / "media")
        path = Path(folder) / "entrants.csv"
        _write_csv(path, ENTRIES)
        draw_id = in_a_process(_prepare)
        _report_import(draw_id, path)
        in_a_process(partial(_make_accounts, draw_id))
        _report_freeze(draw_id)
        _report_execution(draw_id)
        _report_telling(draw_id)
        _report_small()


# ── What is printed ───────────────────────────────────────────────────────────────────────────────────────


def _report_import(draw_id: int, path: Path) -> None:
    bare, _grown = in_a_process(partial(_import_bare, draw_id, path))
    ours, grown = in_a_process(partial(_import_ours, draw_id, path))
    what = f"import {ENTRIES:,} lines"
    show(f"{what}, bare COPY", ours=f"{ours:.1f} s", peer=f"{bare:.1f} s", ratio=ours / bare)
    show(f"{what}, growth over idle", ours=f"{grown:.0f} MB")


def _report_freeze(draw_id: int) -> None:
    before, _grown = in_a_process(partial(_freeze_bare, draw_id))
    ours, grown = in_a_process(partial(_freeze_ours, draw_id))
    after, _grown = in_a_process(partial(_freeze_bare, draw_id))
    bare = statistics.mean((before, after))
    what = f"freeze {ENTRIES:,} entries"
    show(
        f"{what}, bare COPY through the same hashes",
        ours=f"{ours:.2f} s",
        peer=f"{bare:.2f} s ({before:.2f} before, {after:.2f} after)",
        ratio=ours / bare,
        at_most=1.5,
    )
    show(f"{what}, growth over idle", ours=f"{grown:.0f} MB", value=grown, at_most=GROWTH)


def _report_execution(draw_id: int) -> None:
    seconds, grown = in_a_process(partial(_execute, draw_id))
    what = f"execute {ENTRIES:,} entries, {WINNERS:,} winners, s"
    show(what, ours=f"{seconds:.2f}", value=seconds, at_most=3)
    show(f"{what[:-3]}, growth over idle", ours=f"{grown:.0f} MB", value=grown, at_most=GROWTH)


def _report_telling(draw_id: int) -> None:
    ours, bare, growths = [], [], []
    for _round in range(ROUNDS):
        in_a_process(_untell)
        bare.append(in_a_process(partial(_tell_bare, draw_id)))
        in_a_process(_untell)
        seconds, grown = in_a_process(_tell_ours)
        ours.append(seconds)
        growths.append(grown)
    what = f"{ENTRIES:,} inbox deliveries"
    show(
        f"{what}, bare INSERT … SELECT, s",
        ours=spread(ours, ".1f"),
        peer=spread(bare, ".1f"),
        ratio=statistics.median(ours) / statistics.median(bare),
        at_most=1.5,
    )
    show(f"{what}, growth over idle", ours=f"{max(growths):.0f} MB", value=max(growths), at_most=GROWTH)


def _report_small() -> None:
    executing, telling, freezing = in_a_process(_small)
    seconds = statistics.median(executing)
    show(
        f"execute {SMALL:,} entries, {SMALL_WINNERS} winners, notices queued, s",
        ours=spread(executing, ".3f"),
        peer="10–20, says the first design",
        value=seconds,
        at_most=0.2,
    )
    show(f"expand its notices, {ENTRIES:,} members on the site, s", ours=spread(telling, ".3f"))
    show(f"freeze {SMALL:,} entries, s", ours=spread(freezing, ".3f"))


# ── What is measured ──────────────────────────────────────────────────────────────────────────────────────


def _prepare() -> int:
    """A migrated database with members, and the draw that everything is done with; returns its key."""
    from allauth.account.models import EmailAddress
    from django.core.management import call_command
    from django.db import connection

    from accounts.models import User

    call_command("migrate", verbosity=0)
    people = User.objects.bulk_create([User(email=_address(n)) for n in range(MEMBERS)])
    EmailAddress.objects.bulk_create(
        [EmailAddress(user=person, email=person.email, verified=True, primary=True) for person in people]
    )
    User.objects.create_superuser("admin@example.com")
    with connection.cursor() as cursor:
        cursor.execute(_BARE_TABLE)
        cursor.execute("ANALYZE")
    return _new_draw("million", quantity=WINNERS)


def _new_draw(slug: str, *, quantity: int) -> int:
    from django.utils import timezone

    from accounts.models import User
    from draws import services
    from draws.models import Draw, Prize

    now = timezone.now().replace(microsecond=0)
    draw = Draw.objects.create(
        slug=slug,
        title=slug,
        rules="One person, one line.",
        opens_at=now - dt.timedelta(hours=1),
        closes_at=now + dt.timedelta(hours=1),
        draw_at=now + dt.timedelta(hours=2),
    )
    Prize.objects.create(draw=draw, title="Prize", amount=1_000, quantity=quantity)
    admin = User.objects.get(email="admin@example.com")
    services.fund_draw(
        draw=draw,
        unit="KES",
        amount=1_000 * quantity,
        by=admin,
        reason="Benchmark",
        idem_key=f"bench:{slug}",
        now=now,
    )
    return services.publish_draw(draw=draw, by=admin, now=now).pk


def _import_ours(draw_id: int, path: Path) -> tuple[float, float]:
    from django.utils import timezone

    from draws import services
    from draws.models import Draw

    draw = Draw.objects.get(pk=draw_id)
    with path.open("rb") as file, Measured() as measured:
        report = services.import_entries(
            draw=draw, file=file, file_name=path.name, by=None, now=timezone.now()
        )
    if report.accepted != ENTRIES:
        raise SystemExit(f"only {report.accepted} of {ENTRIES} lines were imported")
    return measured.figures()


def _import_bare(draw_id: int, path: Path) -> tuple[float, float]:
    from django.utils import timezone

    now = timezone.now()
    columns = "draw_id, identity, name, pid, salt, weight, source, entered_at"
    with (
        path.open("rb") as file,
        psycopg.connect(os.environ["DATABASE_URL"]) as connection,
        Measured() as measured,
    ):
        with connection.cursor().copy(f"COPY bare_entry ({columns}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["int8", "text", "text", "bytea", "bytea", "int8", "text", "timestamptz"])
            for line in file:
                identity, name, weight = line.decode().rstrip("\n").split(",")
                salt = os.urandom(32)
                pid = hashlib.sha256(salt + identity.encode()).digest()
                copy.write_row((draw_id, identity, name, pid, salt, int(weight), "import", now))
        connection.commit()
    return measured.figures()


def _freeze_ours(draw_id: int) -> tuple[float, float]:
    from draws import services
    from draws.models import Draw

    draw = Draw.objects.get(pk=draw_id)
    with Measured() as measured:
        frozen = services.freeze_draw(draw_id=draw_id, now=draw.closes_at)
    if frozen is None or frozen.entries_count != ENTRIES:
        raise SystemExit("the draw was not frozen")
    return measured.figures()


def _freeze_bare(draw_id: int) -> tuple[float, float]:
    from audit.merkle import MerkleTree

    with psycopg.connect(os.environ["DATABASE_URL"]) as connection, Measured() as measured:
        digest, tree, rest = hashlib.sha256(), MerkleTree(), b""
        with connection.cursor().copy(_BARE_ROWS.format(draw_id=draw_id)) as copy:
            for blocks in _gathered(copy):
                digest.update(blocks)
                *lines, rest = (rest + blocks).split(b"\n")
                tree.add_leaves(lines)
        tree.root()
        digest.hexdigest()
    return measured.figures()


def _execute(draw_id: int) -> tuple[float, float]:
    from draws import services
    from draws.models import Draw

    draw = Draw.objects.get(pk=draw_id)
    with Measured() as measured:
        report = services.execute_draw(draw_id=draw_id, now=draw.draw_at)
    if report is None or report.winners_count != WINNERS:
        raise SystemExit("the draw was not executed")
    return measured.figures()


def _make_accounts(draw_id: int) -> None:
    """Everybody in the draw gets an account, as if they had signed up meanwhile."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(_ACCOUNTS, [draw_id])
        cursor.execute(_LINKS, [draw_id])
        cursor.execute("VACUUM (FULL, ANALYZE) draws_entry")  # as it is when nothing was updated
        cursor.execute("VACUUM (ANALYZE)")


def _untell() -> None:
    """As before the execution's messages were expanded. What the freeze had to say is not said again."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE notifications_delivery")
        cursor.execute(
            "UPDATE notifications_message SET expanded_at = NULL, cursor = 0, recipient_count = 0 "
            "WHERE kind <> 'draws.entries_frozen' AND cancelled_at IS NULL"
        )
        cursor.execute(
            "UPDATE notifications_message SET expanded_at = expand_after WHERE kind = 'draws.entries_frozen'"
        )


def _tell_ours() -> tuple[float, float]:
    from django.utils import timezone

    from notifications import services
    from notifications.models import Channel, Delivery

    due = timezone.now() + dt.timedelta(hours=3)
    with Measured() as measured:
        services.expand_due_messages(now=due)
    told = Delivery.objects.filter(channel=Channel.IN_APP).count()
    if told < ENTRIES:
        raise SystemExit(f"only {told} of {ENTRIES} people were told")
    return measured.figures()


def _tell_bare(draw_id: int) -> float:
    with closing(psycopg.connect(os.environ["DATABASE_URL"])) as connection, Measured() as measured:
        connection.execute(_BARE_DELIVERIES, [draw_id])
        connection.commit()
    return measured.seconds


def _small() -> tuple[list[float], list[float], list[float]]:
    """Seconds of executing, of telling everybody and of freezing, in each round."""
    from draws import services as draw_services
    from draws.models import Draw
    from draws.services import NewEntry
    from notifications import services

    executing, telling, freezing = [], [], []
    for number in range(ROUNDS):
        draw = Draw.objects.get(pk=_new_draw(f"small-{number}", quantity=SMALL_WINNERS))
        people = [NewEntry(_address(n), 1 + n % 4) for n in range(SMALL)]
        draw_services.add_entries(draw=draw, entries=people, now=draw.opens_at)
        with Measured() as measured:
            draw_services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
        freezing.append(measured.seconds)
        services.expand_due_messages(now=draw.closes_at)
        with Measured() as measured:
            draw_services.execute_draw(draw_id=draw.pk, now=draw.draw_at)
        executing.append(measured.seconds)
        with Measured() as measured:
            told = services.expand_due_messages(now=draw.draw_at)
        telling.append(measured.seconds)
        if told < SMALL:
            raise SystemExit(f"only {told} of {SMALL} people were told")
    return executing, telling, freezing


# ── How ───────────────────────────────────────────────────────────────────────────────────────────────────


def _gathered(copy: psycopg.Copy) -> Iterator[bytes]:
    """The rows of a COPY, a megabyte at a time."""
    waiting: list[bytes | bytearray | memoryview] = []
    size = 0
    for block in copy:
        waiting.append(block)
        size += len(block)
        if size >= MEBIBYTE:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def _address(number: int) -> str:
    return f"entrant.{number}@example.org"


def _write_csv(path: Path, count: int) -> None:
    with path.open("w") as file:
        file.writelines(f"{_address(n)},Entrant {n},{1 + n % 4}\n" for n in range(count))


if __name__ == "__main__":
    main()
