"""The life of a draw of a million entries: import, freeze, execute; and of one of a thousand.

`python -m benchmarks.bench_draws`. Everything runs in a scratch database and a scratch folder, each step in a
process of its own, whose memory is compared with what it had before the step began. The peers run in the same
processes: for the import a COPY of the same rows into a copy of the table, with its indexes and foreign keys but
without staging, checks, links or report; for the freeze a bare `COPY … ORDER BY` streamed through SHA-256 and
the Merkle tree, without storing a file, a manifest or a notice.
"""

import datetime as dt
import hashlib
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from config import embedded

ENTRIES = 1_000_000
MEMBERS = 20_000  # of the entrants have an account
WINNERS = 1_000
SMALL = 1_000
ROUNDS = 3
MEBIBYTE = 2**20

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


def main() -> None:
    """Run all of it and print the figures."""
    embedded.ensure()
    server = os.environ["DATABASE_URL"]
    name = f"bench_draws_{secrets.token_hex(4)}"
    with (
        closing(psycopg.connect(server, autocommit=True)) as connection,
        tempfile.TemporaryDirectory() as folder,
    ):
        connection.execute(f"CREATE DATABASE {name}")
        os.environ["DATABASE_URL"] = urlsplit(server)._replace(path=f"/{name}").geturl()
        os.environ["MEDIA_ROOT"] = str(Path(folder) / "media")
        try:
            path = Path(folder) / "entrants.csv"
            _write_csv(path, ENTRIES)
            draw_id = _in_a_process(_prepare)
            _report_import(draw_id, path)
            _report_freeze(draw_id)
            _report_execution(draw_id)
            _report_small()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


# ── What is printed ───────────────────────────────────────────────────────────────────────────────────────


def _report_import(draw_id: int, path: Path) -> None:
    bare, _grown = _in_a_process(partial(_import_bare, draw_id, path))
    ours, grown = _in_a_process(partial(_import_ours, draw_id, path))
    print(f"import of {ENTRIES:,} lines")
    print(f"  import_entries  {ours:>8.2f} s   grows by {grown:,.0f} MB over idle")
    print(f"  bare COPY       {bare:>8.2f} s")
    print(f"  ratio           {ours / bare:>8.2f}")


def _report_freeze(draw_id: int) -> None:
    before, _grown = _in_a_process(partial(_freeze_bare, draw_id))
    ours, grown = _in_a_process(partial(_freeze_ours, draw_id))
    after, _grown = _in_a_process(partial(_freeze_bare, draw_id))
    bare = statistics.mean((before, after))
    print(f"freeze of {ENTRIES:,} entries: file, hash, Merkle root, manifest, notice queued")
    print(f"  freeze_draw     {ours:>8.2f} s   grows by {grown:,.0f} MB over idle   (reach: 40 MB)")
    print(f"  bare, hashed    {bare:>8.2f} s   ({before:.2f} before, {after:.2f} after)")
    print(f"  ratio           {ours / bare:>8.2f}     (reach: 1.50)")


def _report_execution(draw_id: int) -> None:
    seconds, grown = _in_a_process(partial(_execute, draw_id))
    print(f"execution of {ENTRIES:,} entries with {WINNERS:,} winners, notices queued for everyone")
    print(f"  execute_draw    {seconds:>8.2f} s   grows by {grown:,.0f} MB over idle   (reach: 3 s, 40 MB)")
    print(f"  of the reach    {seconds / 3:>8.2f}")


def _report_small() -> None:
    executing, freezing = _in_a_process(_small)
    print(f"execution of {SMALL:,} entries with 10 winners, median of {ROUNDS}")
    print(f"  execute_draw    {executing:>8.3f} s   (reach: 0.2 s; freezing it took {freezing:.3f} s)")
    print(f"  of the reach    {executing / 0.2:>8.2f}")


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
    with path.open("rb") as file, _Measured() as measured:
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
        _Measured() as measured,
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
    with _Measured() as measured:
        frozen = services.freeze_draw(draw_id=draw_id, now=draw.closes_at)
    if frozen is None or frozen.entries_count != ENTRIES:
        raise SystemExit("the draw was not frozen")
    return measured.figures()


def _freeze_bare(draw_id: int) -> tuple[float, float]:
    from audit.merkle import MerkleTree

    with psycopg.connect(os.environ["DATABASE_URL"]) as connection, _Measured() as measured:
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
    with _Measured() as measured:
        report = services.execute_draw(draw_id=draw_id, now=draw.draw_at)
    if report is None or report.winners_count != WINNERS:
        raise SystemExit("the draw was not executed")
    return measured.figures()


def _small() -> tuple[float, float]:
    """Seconds of the execution and of the freeze, medians."""
    from draws import services
    from draws.models import Draw
    from draws.services import NewEntry

    executing, freezing = [], []
    for number in range(ROUNDS):
        draw = Draw.objects.get(pk=_new_draw(f"small-{number}", quantity=10))
        people = [NewEntry(_address(n), 1 + n % 4) for n in range(SMALL)]
        services.add_entries(draw=draw, entries=people, now=draw.opens_at)
        with _Measured() as measured:
            services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
        freezing.append(measured.seconds)
        with _Measured() as measured:
            services.execute_draw(draw_id=draw.pk, now=draw.draw_at)
        executing.append(measured.seconds)
    return statistics.median(executing), statistics.median(freezing)


# ── How ───────────────────────────────────────────────────────────────────────────────────────────────────


class _Measured:
    """Seconds within the block, and how far the process grew beyond what it had when the block began."""

    def __enter__(self) -> "_Measured":
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        self.idle = _memory("VmRSS")
        self.began = time.perf_counter()
        return self

    def __exit__(self, *_error: object) -> None:
        self.seconds = time.perf_counter() - self.began
        self.grown = _memory("VmHWM") - self.idle

    def figures(self) -> tuple[float, float]:
        """Seconds and megabytes."""
        return self.seconds, self.grown


def _memory(field: str) -> float:
    """A line of the kernel's account of this process, in MB."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024 / MEBIBYTE


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


def _in_a_process(work: Callable[[], object]):
    """Run `work` in a fresh process with Django set up; returns its answer."""
    processes = get_context("spawn")
    answers = processes.SimpleQueue()
    process = processes.Process(target=_run, args=(work, answers))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit("a step failed: see above")
    return answers.get()


def _run(work: Callable[[], object], answers) -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from django.db import connection

    import config.celery  # noqa: F401  (what a worker has loaded when a draw is due)

    connection.ensure_connection()
    answers.put(work())
    connection.close()


def _address(number: int) -> str:
    return f"entrant.{number}@example.org"


def _write_csv(path: Path, count: int) -> None:
    with path.open("w") as file:
        file.writelines(f"{_address(n)},Entrant {n},{1 + n % 4}\n" for n in range(count))


if __name__ == "__main__":
    main()
