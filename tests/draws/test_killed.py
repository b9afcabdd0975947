"""`kill -9` in the middle: importing, freezing, executing. The next run finishes as if nothing had happened."""

import io
import random
import time
from functools import partial

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.utils import timezone

from audit.models import Record
from draws import services
from draws.models import Award, Draw, DrawReport, Entry, EntryImport, ImportRejection, Winner
from draws.services import freezing
from draws.tasks import execute_due
from notifications.models import Message
from payments.models import LedgerEntry, Posting
from tests.draws.factories import (
    CASH,
    CREDITS,
    HOUR,
    SMALL,
    assert_ledger_balances,
    entries_text,
    environment,
    identities,
    make_draw,
    make_frozen,
    pool_of,
    stored_text,
    winners_of,
)
from tests.draws.processes import command, gate, kill, start, twin_of
from tests.factories import alice, bob
from tests.live import wait_until


def counts():
    """How many rows of everything that an execution writes."""
    tables = (Winner, Award, DrawReport, LedgerEntry, Posting, Message, Record)
    return {table.__name__: table.objects.count() for table in tables}


# ── Importing ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def csv_file(tmp_path):
    path = tmp_path / "entrants.csv"
    path.write_text("email,name\n" + "".join(f"p{n}@example.org,P {n}\n" for n in range(500)) + "nobody\n")
    return path


def assert_nothing_imported(draw):
    assert Entry.objects.filter(draw=draw).count() == 1
    assert not EntryImport.objects.exists()
    assert not ImportRejection.objects.exists()
    assert not Record.objects.filter(action="draw.entries_imported").exists()


def run_import(draw, csv_file):
    call_command("import_entries", draw.slug, str(csv_file), stdout=io.StringIO(), stderr=io.StringIO())


@pytest.mark.parametrize("table", ["draws_entryimport", "draws_importrejection", "audit_record"])
def test_an_import_killed_in_the_middle_leaves_nothing_and_can_be_repeated(cloned_db, csv_file, table):
    draw = make_draw(entrants=1)
    with gate(cloned_db) as shut:
        shut.shut(table)
        process = start(partial(run_import, draw, csv_file))
        backend = shut.wait_for_one()
        kill(process)
        shut.open(gone=backend)
    assert_nothing_imported(draw)
    run_import(draw, csv_file)
    assert len(identities(draw)) == 501


def test_the_command_killed_in_the_middle_of_an_import_can_be_run_again(cloned_db, tmp_path, csv_file):
    draw = make_draw(entrants=1)
    with gate(cloned_db) as shut:
        shut.shut("draws_entry")
        process = command(cloned_db, tmp_path, "import_entries", draw.slug, str(csv_file))
        backend = shut.wait_for_one(process)
        process.kill()
        shut.open(gone=backend)
    assert_nothing_imported(draw)
    process = command(cloned_db, tmp_path, "import_entries", draw.slug, str(csv_file))
    assert process.process.wait(60) == 0, process.log
    assert len(identities(draw)) == 501
    assert "500 entered, 1 of 501 lines refused" in process.log


# ── Freezing ──────────────────────────────────────────────────────────────────────────────────────────────


def assert_frozen_once(draw):
    draw.refresh_from_db()
    assert stored_text(draw) == entries_text(draw)
    assert draw.manifest["entries"]["count"] == draw.entries.count() == draw.entries_count
    assert Message.objects.filter(kind="draws.entries_frozen", about=draw.about).count() == 1
    for action in ("draw.entries_locked", "draw.frozen"):
        assert Record.objects.filter(action=action, target=draw.about).count() == 1


@pytest.mark.parametrize(
    ("table", "event", "when", "is_locked"),
    [
        ("draws_draw", "UPDATE", "NEW.frozen_at IS NOT NULL AND NEW.manifest IS NULL", False),
        ("audit_record", "INSERT", "NEW.action = 'draw.entries_locked'", False),
        ("draws_draw", "UPDATE", "NEW.manifest IS NOT NULL", True),
        ("audit_record", "INSERT", "NEW.action = 'draw.frozen'", True),
        ("notifications_message", "INSERT", "NEW.kind = 'draws.entries_frozen'", True),
    ],
    ids=["locking", "recording the lock", "storing the manifest", "recording it", "telling"],
)
def test_a_freeze_killed_in_a_transaction_goes_on_with_the_same_manifest(
    cloned_db, table, event, when, is_locked
):
    draw = make_draw(entrants=20, closes_in=-HOUR)
    with gate(cloned_db) as shut:
        shut.shut(table, event, when)
        process = start(lambda: services.freeze_due_draws(now=timezone.now()))
        backend = shut.wait_for_one()
        kill(process)
        shut.open(gone=backend)
    draw.refresh_from_db()
    assert (draw.frozen_at is not None) == is_locked
    assert draw.manifest is None
    assert not Message.objects.filter(kind="draws.entries_frozen").exists()
    locked_at = draw.frozen_at
    with twin_of(cloned_db):
        services.freeze_due_draws(now=timezone.now())
        expected = Draw.objects.get(pk=draw.pk).manifest
    assert len(services.freeze_due_draws(now=timezone.now())) == 1
    assert_frozen_once(draw)
    assert draw.manifest["entries"] == expected["entries"]
    if is_locked:
        assert draw.frozen_at == locked_at
        assert draw.manifest == expected


def freeze_and_die(draw_id, at):
    """Freeze, but stop for good while the entries file is being made or stored."""
    real = freezing.store_entries_file

    def store(file, draw):
        if at == "torn":
            path = default_storage.path(freezing.entries_file_name(draw))
            real(file, draw)
            with open(path, "r+b") as stored:  # what a storage that writes in place leaves behind
                stored.truncate(100)
        elif at == "stored":
            real(file, draw)
        time.sleep(600)

    freezing.store_entries_file = store
    services.freeze_draw(draw_id=draw_id, now=timezone.now())


@pytest.mark.parametrize("at", ["made", "torn", "stored"])
def test_a_freeze_killed_between_its_transactions_goes_on_with_the_same_manifest(cloned_db, at):
    draw = make_draw(entrants=20, closes_in=-HOUR)
    process = start(partial(freeze_and_die, draw.pk, at))
    name = freezing.entries_file_name(draw)
    size = {"made": None, "torn": 100, "stored": len(entries_text(draw))}[at]

    def has_come_there():
        draw.refresh_from_db()
        if size is None:
            return draw.frozen_at is not None
        return default_storage.exists(name) and default_storage.size(name) == size

    wait_until(has_come_there, f"the file to be {at}", 60)
    kill(process)
    locked_at = draw.frozen_at
    draw.refresh_from_db()
    assert draw.manifest is None
    assert len(services.freeze_due_draws(now=timezone.now() + HOUR)) == 1
    assert_frozen_once(draw)
    assert draw.frozen_at == (locked_at or draw.frozen_at)
    assert draw.manifest["frozen_at"] == draw.frozen_at.isoformat().replace("+00:00", "Z")


# ── Executing ─────────────────────────────────────────────────────────────────────────────────────────────


def due_draw():
    return make_frozen(
        entrants=40, members=[alice(), bob()], prizes=[CASH, SMALL, CREDITS, ("Many", "cash", 100, 6)]
    )


def undisturbed(cloned_db, draw):
    """The winners of a run that nothing happens to, on a copy of the database."""
    with twin_of(cloned_db):
        services.execute_due_draws(now=timezone.now())
        return winners_of(draw), Draw.objects.get(pk=draw.pk).report.proof


def assert_finished_like(draw, expected):
    winners, evidence = expected
    draw.refresh_from_db()
    assert draw.status == Draw.Status.COMPLETED
    assert winners_of(draw) == winners
    assert draw.report.proof == evidence
    assert Award.objects.filter(about=draw.about).count() == len(winners)
    assert LedgerEntry.objects.filter(kind__in=("prize.paid", "prize.owed")).count() == len(winners)
    assert DrawReport.objects.count() == 1
    assert Record.objects.filter(action="draw.executed").count() == 1
    for kind in ("winner_announcement", "non_winner", "admin_summary"):
        assert Message.objects.filter(kind=f"draws.{kind}", about=draw.about).count() == 1
    assert pool_of(draw)[:2] == (0, 0)
    assert services.verify_stored_draw(draw) == []
    assert_ledger_balances()


@pytest.mark.parametrize(
    ("table", "event", "when"),
    [
        ("draws_draw", "UPDATE", "NEW.status = 'executing'"),
        ("payments_account", "INSERT", ""),
        ("payments_ledgerentry", "INSERT", ""),
        ("payments_posting", "INSERT", ""),
        ("draws_award", "INSERT", ""),
        ("draws_winner", "INSERT", ""),
        ("audit_record", "INSERT", "NEW.action = 'draw.executed'"),
        ("draws_drawreport", "INSERT", ""),
        ("draws_draw", "UPDATE", "NEW.status = 'completed'"),
        ("notifications_message", "INSERT", "NEW.kind = 'draws.winner_announcement'"),
        ("notifications_message", "INSERT", "NEW.kind = 'draws.admin_summary'"),
    ],
)
def test_a_worker_killed_while_it_executes_leaves_nothing_and_the_next_run_draws_the_same(
    cloned_db, table, event, when
):
    draw = due_draw()
    expected = undisturbed(cloned_db, draw)
    before = counts()
    with gate(cloned_db) as shut:
        shut.shut(table, event, when)
        process = start(lambda: services.execute_due_draws(now=timezone.now()))
        backend = shut.wait_for_one()
        kill(process)
        # The dead worker's lock is passed by, not waited for: other draws are due as well.
        assert services.execute_due_draws(now=timezone.now()) == services.ExecutionSummary()
        shut.open(gone=backend)
    draw.refresh_from_db()
    if draw.status != Draw.Status.COMPLETED:
        assert counts() == before
        assert draw.executed_at is None
        assert services.execute_due_draws(now=timezone.now()).draws_processed == 1
    assert_finished_like(draw, expected)


def test_the_command_killed_while_it_executes_can_be_run_again(cloned_db, tmp_path):
    draw = due_draw()
    expected = undisturbed(cloned_db, draw)
    before = counts()
    with gate(cloned_db) as shut:
        shut.shut("draws_drawreport")
        process = command(cloned_db, tmp_path, "execute_due_draws", env=environment(cloned_db))
        backend = shut.wait_for_one(process)
        process.kill()
        shut.open(gone=backend)
    assert counts() == before
    process = command(cloned_db, tmp_path, "execute_due_draws", env=environment(cloned_db))
    assert process.process.wait(60) == 0, process.log
    assert "1 draws executed, 10 winners, 30 credits, KES 1,206.00 awarded" in process.log
    assert_finished_like(draw, expected)


def test_workers_killed_at_random_moments_end_with_the_same_winners(cloned_db, soak_rounds):
    for number in range(soak_rounds(2, 60)):
        draw = due_draw()
        with twin_of(cloned_db):
            services.execute_due_draws(now=timezone.now())
            expected = winners_of(draw)
        before, choose = counts(), random.Random(number)
        for _ in range(5):
            process = start(lambda: services.execute_due_draws(now=timezone.now()))
            time.sleep(choose.uniform(0, 0.08))
            kill(process)
            if not Winner.objects.filter(draw=draw).exists():
                assert counts() == before
        draw.refresh_from_db()
        summary = services.execute_due_draws(now=timezone.now())
        assert summary.draws_processed == (draw.executed_at is None)
        assert winners_of(draw) == expected
        assert DrawReport.objects.filter(draw=draw).count() == 1
        assert LedgerEntry.objects.filter(about=draw.about, kind__startswith="prize.").count() == len(
            expected
        )
        assert services.verify_stored_draw(Draw.objects.get(pk=draw.pk)) == []
        assert_ledger_balances()


@pytest.fixture
def site_with_files(live_site):
    """The site, sharing this process's stored files."""
    live_site.env |= {"MEDIA_ROOT": environment(live_site)["MEDIA_ROOT"]}
    return live_site


def test_a_celery_worker_killed_while_it_executes_is_followed_by_one_that_draws_the_same(
    cloned_db, site_with_files
):
    draw = due_draw()
    expected = undisturbed(cloned_db, draw)
    before = counts()
    with gate(cloned_db) as shut:
        shut.shut("draws_winner")
        worker = site_with_files.start_worker()
        execute_due.delay()
        backend = shut.wait_for_one(worker)
        worker.kill()
        shut.open(gone=backend)
    assert counts() == before
    site_with_files.start_worker()
    execute_due.delay()
    wait_until(lambda: Draw.objects.get(pk=draw.pk).executed_at is not None, "the draw to be drawn", 60)
    assert_finished_like(draw, expected)
