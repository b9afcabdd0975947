"""Walking the trail: whatever is done to it behind the triggers' back is found and named."""

import datetime as dt
import re

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from accounts.models import User
from audit import services, verification
from audit.models import Record, Seal
from audit.services import record, seal_new_records
from audit.verification import Kind, verify_audit
from tests.audit.conftest import NOW, write
from tests.factories import alice, bob

pytestmark = pytest.mark.django_db
LATER = NOW + dt.timedelta(hours=1)


@pytest.fixture
def trail():
    """Three seals over three records each; those of the second are Alice's."""
    rows = write(3)
    seal_new_records(now=NOW)
    rows += [
        record(actor=alice(), action="test.happened", target=f"test.thing:{i}", data={"i": i}, now=NOW)
        for i in range(3)
    ]
    seal_new_records(now=NOW)
    rows += write(3)
    seal_new_records(now=NOW)
    assert verify_audit(now=LATER).faults == []
    return rows


def run(statement: str, *parameters: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        assert cursor.rowcount


def found(**options) -> list[tuple[Kind, str]]:
    return [(fault.kind, fault.about) for fault in verify_audit(now=LATER, **options).faults]


def test_an_empty_trail_is_sound():
    report = verify_audit(now=NOW)
    assert (report.is_sound, report.seals, report.records, report.newest_digest) == (True, 0, 0, "")


def test_it_counts_what_it_saw(trail):
    write(2, now=LATER)
    report = verify_audit(now=LATER)
    assert (report.seals, report.records, report.waiting) == (3, 9, 2)
    assert report.newest_digest == services.newest_seal().digest


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_record SET data = '{\"i\": 2}' WHERE id = %s",
        "UPDATE audit_record SET action = 'test.changed' WHERE id = %s",
        "UPDATE audit_record SET target = 'other' WHERE id = %s",
        "UPDATE audit_record SET at = at + interval '1 microsecond' WHERE id = %s",
        "UPDATE audit_record SET actor_id = NULL WHERE id = %s",
    ],
)
def test_a_changed_record_is_found_under_its_seal(trail, unguarded, change):
    with unguarded():
        run(change, trail[4].pk)
    assert found() == [(Kind.RECORDS_CHANGED, f"record {trail[3].pk}–{trail[5].pk}")]


def test_putting_an_action_in_another_person_s_name_is_found(trail, unguarded):
    with unguarded():
        run("UPDATE audit_record SET actor_id = %s WHERE id = %s", bob().pk, trail[4].pk)
    assert found() == [(Kind.RECORDS_CHANGED, f"record {trail[3].pk}–{trail[5].pk}")]


def test_changing_who_a_person_is_is_found(trail):
    User.objects.filter(pk=alice().pk).update(public_id=bob().public_id.hex[::-1])
    assert found() == [(Kind.RECORDS_CHANGED, f"record {trail[3].pk}–{trail[5].pk}")]


def test_a_record_may_be_put_back_as_it_was(trail, unguarded):
    with unguarded():
        run("UPDATE audit_record SET action = 'test.changed' WHERE id = %s", trail[4].pk)
        run("UPDATE audit_record SET action = 'test.happened' WHERE id = %s", trail[4].pk)
    assert found() == []


def test_deleted_records_are_named(trail, unguarded):
    with unguarded():
        run("DELETE FROM audit_record WHERE id IN (%s, %s)", trail[0].pk, trail[4].pk)
    assert found() == [
        (Kind.RECORD_MISSING, f"record {trail[0].pk}"),
        (Kind.RECORD_MISSING, f"record {trail[4].pk}"),
    ]


def test_two_records_in_each_other_s_place_are_found(trail, unguarded):
    first, second = trail[4].pk, trail[7].pk
    with unguarded():
        run("UPDATE audit_record SET id = -1 WHERE id = %s", first)
        run("UPDATE audit_record SET id = %s WHERE id = %s", first, second)
        run("UPDATE audit_record SET id = %s WHERE id = -1", second)
    assert [kind for kind, _about in found()] == [Kind.RECORDS_CHANGED, Kind.RECORDS_CHANGED]


def test_a_record_slipped_into_a_gap_is_named():
    write()
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('audit_record', 'id'))")
        [gap] = cursor.fetchone()
    write()
    seal_new_records(now=NOW)
    Record.objects.create(pk=gap, at=NOW, action="test.forged", target="x")
    assert found() == [(Kind.UNSEALED, f"record {gap}")]


def test_a_record_with_an_id_that_was_never_given_out_is_named_and_drags_nothing_along(trail):
    far = 10**15
    Record.objects.create(pk=far, at=NOW, action="test.forged", target="x")
    write(2)
    seal = seal_new_records(now=NOW)
    assert (seal.count, seal.last_id < far) == (2, True)
    assert found() == [(Kind.UNSEALED, f"record {far}")]


@pytest.mark.parametrize(
    "change",
    [
        "merkle_root = repeat('0', 64)",
        "first_id = first_id + 1",
        "last_id = last_id + 1000000",
        "count = count + 1",
        "missing = '[[1, 1]]'",
        "missing = '\"nonsense\"'",
        "late = '[[1.5, 2]]'",
        "sealed_at = sealed_at - interval '1 day'",
    ],
)
def test_a_changed_seal_is_named(trail, unguarded, change):
    with unguarded():
        run(f"UPDATE audit_seal SET {change} WHERE id = 2")
    assert found() == [(Kind.SEAL_CHANGED, "seal 2")]


def test_a_seal_made_anew_over_changed_records_breaks_the_chain(trail, unguarded):
    with unguarded():
        run("UPDATE audit_record SET action = 'test.changed' WHERE id = %s", trail[4].pk)
        forged = Seal.objects.get(pk=2)
        leaves = dict(
            Record.objects.filter(pk__range=(forged.first_id, forged.last_id)).order_by("pk").leaves()
        )
        forged.merkle_root = verification.merkle_root(leaves.values()).hex()
        forged.digest = forged.computed_digest()
        forged.save()
    assert found() == [(Kind.CHAIN_BROKEN, "seal 3")]


def test_a_deleted_seal_is_named(trail, unguarded):
    with unguarded():
        run("DELETE FROM audit_seal WHERE id = 2")
    assert found() == [(Kind.SEAL_MISSING, "seal 2")]


def test_deleted_seals_at_the_beginning_are_named(trail, unguarded):
    with unguarded():
        run("DELETE FROM audit_seal WHERE id < 3")
    assert found() == [(Kind.SEAL_MISSING, "seal 1–2")]


def test_a_chain_cut_at_its_end_is_found_by_what_it_no_longer_covers(trail, unguarded):
    with unguarded():
        run("DELETE FROM audit_seal WHERE id = 3")
    assert found() == [(Kind.UNSEALED, f"record {trail[6].pk}–{trail[8].pk}")]


def test_a_chain_written_anew_is_found_by_a_digest_given_out_before(trail, unguarded):
    given_out = [seal.digest for seal in Seal.objects.order_by("pk")]
    assert found(known_digests=given_out) == []
    with unguarded():
        run("DELETE FROM audit_seal WHERE id = 3")
    seal_new_records(now=LATER)
    assert found() == []
    assert found(known_digests=given_out) == [(Kind.DIGEST_UNKNOWN, f"digest {given_out[2]}")]


def test_two_seals_in_each_other_s_place_are_named(trail, unguarded):
    with unguarded():
        run("UPDATE audit_seal SET id = CASE id WHEN 2 THEN -3 ELSE -2 END WHERE id > 1")
        run("UPDATE audit_seal SET id = -id WHERE id < 0")
    assert found()[:2] == [(Kind.SEAL_CHANGED, "seal 2"), (Kind.SEAL_CHANGED, "seal 3")]


def test_an_old_record_without_a_seal_is_named_and_a_young_one_waits(trail):
    rows = write(2, now=LATER - verification.GRACE - dt.timedelta(seconds=1)) + write(2, now=LATER)
    report = verify_audit(now=LATER)
    assert [str(fault) for fault in report.faults] == [
        f"record {rows[0].pk}–{rows[1].pk}: under no seal that holds"
    ]
    assert report.waiting == 2


def test_a_record_sealed_while_we_walk_is_no_fault(trail, monkeypatch):
    write(2, now=NOW)
    walk_over_rest = verification._Walk.over_rest

    def sealed_first(walk, **options):
        seal_new_records(now=LATER)
        walk_over_rest(walk, **options)

    monkeypatch.setattr(verification._Walk, "over_rest", sealed_first)
    assert found() == []


def test_a_long_trail_is_walked_in_small_steps(monkeypatch):
    monkeypatch.setattr(services, "SEAL_SIZE", 3)
    monkeypatch.setattr(verification, "_SEALS_AT_ONCE", 2)
    monkeypatch.setattr(verification, "_RECORDS_AT_ONCE", 2)
    write(20)
    services.seal_backlog(now=NOW)
    report = verify_audit(now=LATER)
    assert (report.faults, report.seals, report.records) == ([], 7, 20)


def test_of_countless_faults_the_first_are_described(trail, unguarded, monkeypatch):
    monkeypatch.setattr(verification, "MOST_FAULTS", 2)
    with unguarded():
        run("UPDATE audit_seal SET count = 0")  # three seals, and their records are under none that holds
    report = verify_audit(now=LATER)
    assert (len(report.faults), report.faults_found) == (2, 4)


class TestCommand:
    def test_it_says_what_it_saw(self, trail, capsys):
        call_command("verify_audit")
        out = capsys.readouterr().out
        assert "9 records under 3 seals" in out
        assert services.newest_seal().digest in out
        assert "The audit trail is sound." in out

    def test_it_fails_and_names_the_fault(self, trail, unguarded, capsys):
        with unguarded():
            run("DELETE FROM audit_record WHERE id = %s", trail[4].pk)
        with pytest.raises(CommandError, match="NOT sound"):
            call_command("verify_audit")
        assert re.search(rf"record {trail[4].pk}: missing.*under seal 2", capsys.readouterr().out)

    def test_it_asks_for_a_digest_seen_earlier(self, trail):
        call_command("verify_audit", contains=[services.newest_seal().digest])
        with pytest.raises(CommandError, match="NOT sound"):
            call_command("verify_audit", contains=["0" * 63 + "1"])
