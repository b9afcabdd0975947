"""Writing the trail."""

import datetime as dt

import pytest
from django.db import transaction
from django.http import HttpResponse

from audit import services, tasks
from audit.canonical import CanonicalError
from audit.context import Origin, origin
from audit.middleware import AuditContextMiddleware
from audit.models import Record, RequestContext
from audit.services import record
from audit.verification import verify_audit
from tests.audit.conftest import NOW, write
from tests.factories import alice, bob

pytestmark = pytest.mark.django_db


def test_it_keeps_who_did_what_to_what():
    person = alice()
    row = record(actor=person, action="person.changed", target=person, data={"field": "name"}, now=NOW)
    row.refresh_from_db()
    assert (row.at, row.actor, row.action, row.data) == (NOW, person, "person.changed", {"field": "name"})
    assert row.target == f"accounts.user:{person.public_id}"


def test_a_row_without_public_id_goes_by_its_key():
    row = write()[0]
    again = record(actor=None, action="test.looked", target=row, data={}, now=NOW)
    assert again.target == f"audit.record:{row.pk}"


def test_it_is_one_insert_and_within_a_request_two(django_assert_num_queries):
    with django_assert_num_queries(1):
        write()
    token = origin.set(Origin("request-1", "192.0.2.1", "Browser"))
    with django_assert_num_queries(2):
        write()
    origin.reset(token)
    assert RequestContext.objects.values_list("request_id", "address", "user_agent").get() == (
        "request-1", "192.0.2.1", "Browser",
    )  # fmt: skip


@pytest.mark.parametrize("value", [1.5, NOW, {1, 2}, 2**53, {"ключ": 1}, "\ud800", (1, 2)])
def test_it_refuses_details_without_a_canonical_form(value):
    with pytest.raises(CanonicalError):
        record(actor=None, action="test.happened", target="x", data={"value": value}, now=NOW)
    assert not Record.objects.exists()


def test_it_goes_with_the_transaction_it_belongs_to():
    with transaction.atomic():
        write()
        transaction.set_rollback(True)
    assert not Record.objects.exists()


class TestWhereItCameFrom:
    """The middleware's part."""

    def seen(self, rf, **meta):
        origins = []

        def view(request):
            origins.append(origin.get())
            return HttpResponse()

        response = AuditContextMiddleware(view)(rf.get("/", **meta))
        assert origin.get() is None
        return origins[0], response

    def test_each_request_has_an_id_and_says_it(self, rf):
        first, response = self.seen(rf, REMOTE_ADDR="192.0.2.7", HTTP_USER_AGENT="Browser")
        second, _ = self.seen(rf)
        assert response.headers["X-Request-ID"] == first.request_id != second.request_id
        assert (first.address, first.user_agent) == ("192.0.2.7", "Browser")

    def test_a_given_id_is_kept_if_it_is_one(self, rf):
        assert self.seen(rf, HTTP_X_REQUEST_ID="trace-1234")[0].request_id == "trace-1234"
        for wrong in ("short", "x" * 65, "two\nlines-of-log", "<script>alert(1)"):
            assert self.seen(rf, HTTP_X_REQUEST_ID=wrong)[0].request_id != wrong

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ("192.0.2.7", "192.0.2.7"),
            ("2001:DB8::1", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("", None),
            ("unix:", None),
            ("/run/site.sock", None),
        ],
    )
    def test_an_address_the_database_would_refuse_does_not_undo_the_action(self, rf, given, kept):
        seen, _ = self.seen(rf, REMOTE_ADDR=given, HTTP_USER_AGENT="a\0b" + "c" * 500)
        assert seen.address == kept
        token = origin.set(seen)
        [row] = write()
        origin.reset(token)
        assert RequestContext.objects.get(record=row).address == kept

    def test_every_answer_of_the_site_says_it_also_that_nothing_is_there(self, client):
        assert client.get("/no-such-page/").headers["X-Request-ID"]
        assert (
            client.get("/healthz", headers={"X-Request-ID": "trace-1234"}).headers["X-Request-ID"]
            == "trace-1234"
        )

    def test_it_is_forgotten_when_the_view_fails(self, rf):
        def view(request):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            AuditContextMiddleware(view)(rf.get("/"))
        assert origin.get() is None


class TestErasure:
    def setup_method(self):
        self.token = origin.set(Origin("request-1", "192.0.2.1", "Browser"))

    def teardown_method(self):
        origin.reset(self.token)

    def test_it_erases_where_one_person_acted_and_keeps_what_they_did(self):
        for person in (alice(), alice(), bob(), None):
            record(actor=person, action="test.happened", target="x", data={}, now=NOW)
        assert services.erase_contexts_of(user=alice()) == 2
        assert Record.objects.filter(actor=alice()).count() == 2
        assert RequestContext.objects.filter(record__actor=bob()).count() == 1
        assert RequestContext.objects.count() == 2

    def test_it_erases_what_is_older_than_a_moment_in_several_goes(self, monkeypatch):
        monkeypatch.setattr(services, "ERASE_SIZE", 2)
        write(5, now=NOW - dt.timedelta(days=91))
        write(3, now=NOW)
        assert services.erase_contexts_before(moment=NOW - dt.timedelta(days=90)) == 5
        assert RequestContext.objects.count() == 3
        assert Record.objects.count() == 8
        assert services.erase_contexts_before(moment=NOW - dt.timedelta(days=90)) == 0

    def test_the_daily_job_keeps_them_for_ninety_days(self, time_machine):
        write(1, now=NOW - dt.timedelta(days=91))
        [kept] = write(1, now=NOW - dt.timedelta(days=89))
        time_machine.move_to(NOW)
        tasks.erase_old_contexts()
        assert RequestContext.objects.get().record == kept

    def test_the_trail_is_still_sound_afterwards(self):
        write(3)
        services.seal_new_records(now=NOW)
        services.erase_contexts_before(moment=NOW + dt.timedelta(days=1))
        assert verify_audit(now=NOW).is_sound
