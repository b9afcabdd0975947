"""Sealing beside writers and other sealers, over real connections."""

import datetime as dt
import subprocess
import sys
from contextlib import closing

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from audit import services
from audit.context import Origin, origin
from audit.models import Record, Seal
from audit.services import seal_new_records
from audit.verification import Kind, verify_audit
from tests.audit.conftest import NOW, write
from tests.live import PROJECT

LATER = NOW + dt.timedelta(hours=1)
INSERT = (
    "INSERT INTO audit_record (at, action, target, data) VALUES (%s, 'test.happened', 'x', '{}') RETURNING id"
)


@pytest.fixture
def other(cloned_db):
    """A second connection, with a transaction that one ends by hand."""
    with closing(psycopg.connect(cloned_db.url)) as connection:
        yield connection


def insert(connection) -> int:
    return connection.execute(INSERT, [NOW]).fetchone()[0]


def test_a_lower_id_that_commits_later_is_in_the_next_seal(other):
    slow = insert(other)
    [fast] = write()
    assert slow < fast.pk
    first = seal_new_records(now=NOW)  # did not wait for the open transaction
    assert first.count == 1
    assert [slow, slow] in first.missing

    other.commit()
    second = seal_new_records(now=NOW)
    assert (second.late, second.count) == ([[slow, slow]], 1)
    assert second.last_id == second.first_id - 1
    assert seal_new_records(now=NOW) is None
    report = verify_audit(now=LATER)
    assert report.is_sound
    assert report.records == 2


def test_late_and_new_records_share_a_seal(other):
    slow = insert(other)
    write()
    seal_new_records(now=NOW)
    other.commit()
    third = insert(other)
    other.commit()
    seal = seal_new_records(now=NOW)
    assert (seal.late, seal.first_id, seal.last_id, seal.count) == ([[slow, slow]], third, third, 2)
    assert verify_audit(now=LATER).is_sound


def test_a_late_record_waits_for_the_third_seal_if_it_must(other):
    slow = insert(other)
    for _ in range(2):
        write()
        seal_new_records(now=NOW)
    other.commit()
    write()
    assert seal_new_records(now=NOW).late == [[slow, slow]]
    assert verify_audit(now=LATER).is_sound


def test_a_transaction_that_is_undone_stays_missing(other):
    insert(other)
    write()
    seal_new_records(now=NOW)
    other.rollback()
    assert seal_new_records(now=NOW) is None
    assert verify_audit(now=LATER).is_sound


def test_a_writer_does_not_wait_for_a_sealer(cloned_db, other):
    other.execute("SET lock_timeout = '2s'")
    write()
    with transaction.atomic():
        assert seal_new_records(now=NOW).count == 1  # not committed yet
        insert(other)
        other.commit()
    assert seal_new_records(now=NOW).count == 1


def test_while_one_sealer_works_another_does_nothing(cloned_db, other):
    write()
    other.execute("SELECT pg_advisory_xact_lock(%s)", [services._SEALER])
    assert seal_new_records(now=NOW) is None
    other.commit()
    assert seal_new_records(now=NOW).count == 1


def test_sealers_that_race_make_one_chain(parallel):
    write(5)
    outcomes = parallel(lambda: seal_new_records(now=NOW), 8)
    assert outcomes.errors == []
    assert len([seal for seal in outcomes.results if seal]) == 1
    assert Seal.objects.count() == 1


def test_writers_and_sealers_at_once_leave_every_record_under_one_seal(parallel, soak_rounds):
    rounds = soak_rounds(15, 300)

    def work(index):
        for n in range(rounds):
            if index < 2:
                seal_new_records(now=NOW)
                continue
            with transaction.atomic():
                write(1 + n % 3)
                transaction.set_rollback(n % 5 == 0)

    outcomes = parallel(work, 6)
    assert outcomes.errors == []
    services.seal_backlog(now=NOW)
    report = verify_audit(now=LATER)
    assert report.faults == []
    assert report.records == Record.objects.count()
    assert report.waiting == 0


def test_a_sealer_that_is_killed_leaves_the_next_one_free(cloned_db, other):
    write()
    pid = other.execute("SELECT pg_backend_pid()").fetchone()[0]
    other.execute("SELECT pg_advisory_xact_lock(%s)", [services._SEALER])
    with closing(psycopg.connect(cloned_db.url, autocommit=True)) as third:
        third.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    assert seal_new_records(now=NOW).count == 1


def test_a_gap_that_fills_long_after_is_never_sealed_and_is_named(other):
    slow = insert(other)
    write()
    seal_new_records(now=NOW)
    other.commit()
    assert seal_new_records(now=NOW + services.LATE_WINDOW + dt.timedelta(seconds=1)) is None
    report = verify_audit(now=NOW + dt.timedelta(days=1))
    assert [(fault.kind, fault.about) for fault in report.faults] == [(Kind.UNSEALED, f"record {slow}")]


def test_a_record_without_a_transaction_goes_with_its_context_or_not_at_all(cloned_db):
    token = origin.set(Origin("request-1", "not an address", "Browser"))
    try:
        with pytest.raises(ValueError, match="not an address"):
            write()
    finally:
        origin.reset(token)
    assert not Record.objects.exists()


def test_a_sealer_that_dies_in_the_middle_leaves_nothing_of_its_seal(cloned_db, monkeypatch):
    write(3)

    def die(seal):
        with closing(psycopg.connect(cloned_db.url, autocommit=True)) as killer:
            killer.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks"
                " WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        return "0" * 64

    with monkeypatch.context() as patch:
        patch.setattr(Seal, "computed_digest", die)
        with pytest.raises(OperationalError):
            seal_new_records(now=NOW)
    connection.close()
    assert not Seal.objects.exists()
    assert seal_new_records(now=NOW).count == 3
    assert verify_audit(now=LATER).is_sound


def test_from_the_command_line_tampering_ends_in_an_exit_status(cloned_db):
    def manage(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=PROJECT, env=cloned_db.env, capture_output=True, text=True, check=False
        )

    [row] = write(now=timezone.now() - dt.timedelta(hours=1))
    assert "1 records" in manage("seal_audit").stdout
    sound = manage("verify_audit")
    assert (sound.returncode, "The audit trail is sound." in sound.stdout) == (0, True)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_record DISABLE TRIGGER USER")
        cursor.execute("DELETE FROM audit_record")
    broken = manage("verify_audit")
    assert broken.returncode == 1
    assert f"record {row.pk}: missing" in broken.stdout
    assert "NOT sound" in broken.stderr
