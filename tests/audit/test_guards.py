"""The trail is append-only in the database itself, whatever code runs above it."""

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import ProtectedError

from audit.context import Origin, origin
from audit.models import Record, RequestContext, Seal
from audit.services import record, seal_new_records
from tests.audit.conftest import NOW, write
from tests.factories import alice

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_record SET action = 'draw.nothing'",
        "UPDATE audit_record SET id = id + 1",
        "DELETE FROM audit_record",
        "DELETE FROM audit_record WHERE id = -1",
        "TRUNCATE audit_record CASCADE",
        "UPDATE audit_seal SET digest = ''",
        "DELETE FROM audit_seal",
        "TRUNCATE audit_seal",
        "INSERT INTO audit_record (id, at, action, target, data) SELECT id, at, 'a.b', '', '{}' FROM audit_record"
        " ON CONFLICT (id) DO UPDATE SET action = excluded.action",
        "MERGE INTO audit_record r USING audit_seal s ON r.id >= s.first_id WHEN MATCHED THEN DELETE",
    ],
)
def test_the_database_refuses_to_change_the_trail(statement):
    write()
    seal_new_records(now=NOW)
    connection.cursor().execute(
        "SET CONSTRAINTS ALL IMMEDIATE"
    )  # TRUNCATE stumbles over pending checks first
    before = list(Record.objects.values()), list(Seal.objects.values())
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        connection.cursor().execute(statement)
    assert (list(Record.objects.values()), list(Seal.objects.values())) == before


def test_the_orm_can_not_change_a_record_either():
    [row] = write()
    row.action = "draw.nothing"
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        row.save()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        row.delete()


def test_where_an_action_came_from_may_be_erased():
    token = origin.set(Origin("request-1", "192.0.2.1", "Browser"))
    [row] = write()
    origin.reset(token)
    assert RequestContext.objects.filter(record=row).delete() == (1, {"audit.RequestContext": 1})
    assert Record.objects.filter(pk=row.pk).exists()


def test_deleting_a_record_with_its_context_leaves_both():
    token = origin.set(Origin("request-1", "192.0.2.1", "Browser"))
    [row] = write()
    origin.reset(token)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        row.delete()
    assert RequestContext.objects.filter(record=row).exists()


def test_a_person_in_the_trail_can_not_be_deleted():
    person = alice()
    record(actor=person, action="test.happened", target="x", data={}, now=NOW)
    connection.cursor().execute("SET CONSTRAINTS ALL IMMEDIATE; DELETE FROM account_emailaddress")
    with pytest.raises(IntegrityError), transaction.atomic():
        connection.cursor().execute("DELETE FROM accounts_user")
    with pytest.raises(ProtectedError):
        person.delete()


def test_an_action_has_a_dot():
    with pytest.raises(IntegrityError, match="audit_record_action_dotted"), transaction.atomic():
        write(action="happened")


def test_two_seals_can_not_follow_the_same_one():
    write()
    first = seal_new_records(now=NOW)
    with pytest.raises(IntegrityError, match="audit_seal_one_successor"), transaction.atomic():
        Seal.objects.create(
            pk=first.pk + 1, first_id=1, last_id=1, count=0, merkle_root="", previous=first.previous,
            digest="x", sealed_at=NOW,
        )  # fmt: skip
