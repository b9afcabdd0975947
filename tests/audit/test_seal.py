"""Sealing: what one seal covers, and how the next one follows."""

import datetime as dt

import pytest
from django.core.management import call_command
from django.db import transaction

from audit import chain, services, tasks
from audit.merkle import merkle_root
from audit.models import Record, Seal
from audit.services import newest_seal, seal_backlog, seal_new_records
from audit.verification import verify_audit
from tests.audit.conftest import NOW, write
from tests.factories import alice

pytestmark = pytest.mark.django_db


def rolled_back(number: int) -> None:
    """Use up ids as a transaction does that is undone."""
    with transaction.atomic():
        write(number)
        transaction.set_rollback(True)


def test_nothing_new_is_no_seal():
    assert seal_new_records(now=NOW) is None
    assert newest_seal() is None
    write()
    seal_new_records(now=NOW)
    assert seal_new_records(now=NOW) is None


def test_the_first_seal_begins_at_one_and_continues_nothing():
    rows = write(3)
    seal = seal_new_records(now=NOW)
    assert (seal.pk, seal.previous, seal.count) == (1, chain.GENESIS, 3)
    assert (seal.first_id, seal.last_id) == (1, rows[-1].pk)
    assert seal.sealed_at == NOW


def test_a_seal_can_be_recomputed_from_the_rows_with_the_documented_bytes():
    person = alice()
    row = services.record(
        actor=person, action="test.happened", target="x", data={"b": [1, "ü"], "a": None}, now=NOW
    )
    seal = seal_new_records(now=NOW)
    leaf = chain.record_leaf(
        id=row.pk,
        at=NOW,
        actor=str(person.public_id),
        action="test.happened",
        target="x",
        data={"a": None, "b": [1, "ü"]},
    )
    assert seal.merkle_root == merkle_root([leaf]).hex()
    seal.refresh_from_db()
    assert seal.computed_digest() == seal.digest == Seal.objects.get().digest


def test_each_seal_continues_the_one_before_without_a_hole():
    for _ in range(3):
        write(2)
        seal_new_records(now=NOW)
    first, second, third = Seal.objects.order_by("pk")
    assert (second.previous, third.previous) == (first.digest, second.digest)
    assert (second.first_id, third.first_id) == (first.last_id + 1, second.last_id + 1)
    assert newest_seal() == third


def test_ids_of_undone_transactions_are_missing_and_cost_one_pair():
    [before] = write()
    rolled_back(50)
    [after] = write()
    rolled_back(5)
    seal = seal_new_records(now=NOW)
    assert [before.pk + 1, after.pk - 1] in seal.missing
    assert seal.last_id == after.pk
    assert seal.count == 2
    assert verify_audit(now=NOW + dt.timedelta(days=1)).is_sound


def test_a_backlog_is_sealed_in_bounded_seals_the_oldest_first(monkeypatch):
    monkeypatch.setattr(services, "SEAL_SIZE", 4)
    rows = write(10)
    seals = seal_backlog(now=NOW)
    assert [seal.count for seal in seals] == [4, 4, 2]
    assert [seal.last_id for seal in seals] == [rows[3].pk, rows[7].pk, rows[9].pk]
    assert verify_audit(now=NOW).is_sound


def test_ten_thousand_new_rows_are_one_seal_in_a_few_queries(django_assert_max_num_queries):
    Record.objects.bulk_create(
        Record(at=NOW, action="test.happened", target=f"test.thing:{i}", data={"i": i}) for i in range(10_001)
    )
    with django_assert_max_num_queries(8):
        seal = seal_new_records(now=NOW)
    assert (seal.count, seal.missing[1:]) == (10_000, [])
    assert seal_new_records(now=NOW).count == 1
    report = verify_audit(now=NOW)
    assert report.is_sound
    assert report.records == 10_001


def test_a_row_that_did_not_come_through_record_is_sealed_too():
    Record.objects.create(at=NOW, action="test.happened", target="x", data={"share": 0.5})
    assert seal_new_records(now=NOW).count == 1
    assert verify_audit(now=NOW).is_sound


def test_the_job_and_the_command_seal(capsys):
    write()
    tasks.seal()
    assert newest_seal().count == 1
    call_command("seal_audit")
    assert "Nothing to seal" in capsys.readouterr().out
    write(2)
    call_command("seal_audit")
    assert "Seal 2: 2 records" in capsys.readouterr().out


def test_reading_the_newest_seal_is_one_query(django_assert_num_queries):
    write()
    seal_new_records(now=NOW)
    with django_assert_num_queries(1):
        newest_seal()
