"""`kill -9` while a file of entrants is received or imported: wholly in or wholly out, and in once in the end."""

import http.client
import itertools
import os
import random
import socket
import time
from contextlib import closing
from functools import partial
from urllib.parse import urlsplit

import psycopg
import pytest
from celery import current_app
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client
from django.utils import timezone

from audit.models import Record
from draws import services
from draws.models import Draw, Entry, EntryImport, EntryUpload, ImportRejection, UploadProgress
from draws.services.progress import ShownProgress
from tests.draws.admin_pages import act_url
from tests.draws.factories import HOUR, identities, make_draw
from tests.draws.processes import gate, kill, start, together
from tests.draws.test_uploads import receive
from tests.factories import admin
from tests.live import wait_until

PEOPLE = 500
LIST = ("email,name\n" + "".join(f"p{n}@example.org,P {n}\n" for n in range(PEOPLE)) + "nobody\n").encode()
MANY = 100_000
BOUNDARY = "----------fairground"


@pytest.fixture(autouse=True)
def _own_files(settings, tmp_path):
    """The storage of the live site: `LiveSite.data` lies there too."""
    settings.MEDIA_ROOT = tmp_path / "data" / "media"


_hours = itertools.count(1)


def next_sweep():
    """A sweep that comes an hour after the one before: no pause between attempts keeps it waiting."""
    return partial(services.import_due_uploads, now=timezone.now() + next(_hours) * HOUR)


def sweep():
    return next_sweep()()


def assert_wholly_out(draw, before=0):
    assert Entry.objects.filter(draw=draw).count() == before
    assert not EntryImport.objects.exists()
    assert not ImportRejection.objects.exists()
    assert not Record.objects.filter(action="draw.entries_imported").exists()


def assert_in_once(draw, people=PEOPLE, rejected=1):
    report = EntryImport.objects.get(draw=draw)
    assert (report.accepted, report.rejected) == (people, rejected)
    assert Entry.objects.filter(draw=draw).count() == people
    assert ImportRejection.objects.count() == rejected
    assert Record.objects.filter(action="draw.entries_imported").count() == 1
    upload = EntryUpload.objects.get(draw=draw, state="done")
    assert upload.report == report


# ── A worker killed ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("table", "event"),
    [
        ("draws_uploadprogress", "UPDATE"),
        ("draws_entry", "INSERT"),
        ("draws_entryimport", "INSERT"),
        ("draws_importrejection", "INSERT"),
        ("audit_record", "INSERT"),
        ("draws_entryupload", "UPDATE"),
    ],
)
def test_a_worker_killed_in_the_middle_leaves_nothing_and_the_next_sweep_starts_anew(cloned_db, table, event):
    draw = make_draw()
    upload = receive(draw, LIST).upload
    with gate(cloned_db) as shut:
        shut.shut(table, event)
        process = start(next_sweep())
        backend = shut.wait_for_one()
        assert upload.is_being_imported()
        # Passed by, not waited for; and not counted as an attempt.
        assert sweep() == []
        kill(process)
        shut.open(gone=backend)
    wait_until(lambda: not upload.is_being_imported(), "the end of the killed worker's transaction", 60)
    assert_wholly_out(draw)
    assert EntryUpload.objects.get().state == "waiting"
    assert UploadProgress.objects.get().attempts <= 1
    assert [item.pk for item in sweep()] == [upload.pk]
    assert_in_once(draw)


def test_workers_killed_at_random_moments_end_with_everyone_in_once(cloned_db, soak_rounds):
    for number in range(soak_rounds(2, 40)):
        draw, choose = make_draw(), random.Random(number)
        upload = receive(draw, LIST).upload
        for _attempt in range(4):
            process = start(next_sweep())
            time.sleep(choose.uniform(0, 0.15))  # a moment of no meaning: that is the point
            kill(process)
            wait_until(lambda: not upload.is_being_imported(), "the end of the transaction", 60)  # noqa: B023
            assert len(identities(draw)) in (0, PEOPLE)
        sweep()
        assert EntryImport.objects.get(draw=draw).accepted == len(identities(draw)) == PEOPLE
        upload.refresh_from_db()
        assert upload.state == "done"


def test_a_file_that_kills_every_worker_waits_for_a_person_in_the_end(cloned_db):
    draw = make_draw()
    receive(draw, LIST)
    for _attempt in range(5):
        with gate(cloned_db) as shut:
            shut.shut("draws_entry")
            process = start(next_sweep())
            backend = shut.wait_for_one()
            kill(process)
            shut.open(gone=backend)
    [failed] = sweep()
    assert (failed.state, identities(draw)) == ("failed", {})
    assert "stopped in the middle 5 times" in failed.why
    services.retry_upload(upload=failed, by=admin(), now=timezone.now())
    assert [item.state for item in sweep()] == ["done"]
    assert_in_once(draw)


def test_a_celery_worker_killed_in_the_middle_is_followed_by_one_that_imports_it(cloned_db, live_site):
    draw = make_draw()
    with gate(cloned_db) as shut:
        shut.shut("draws_importrejection")
        worker = live_site.start_worker(queues="bulk")
        receive(draw, LIST)  # its commit wakes the worker
        backend = shut.wait_for_one(worker)
        worker.kill()
        shut.open(gone=backend)
    assert_wholly_out(draw)
    # Its pause over, as the sweep will find it.
    UploadProgress.objects.update(started_at=timezone.now() - HOUR)
    live_site.start_worker(queues="bulk")
    current_app.send_task("draws.tasks.import_uploads")
    wait_until(lambda: EntryUpload.objects.filter(state="done").exists(), "the import", 60)
    assert_in_once(draw)


# ── Seen while it runs ────────────────────────────────────────────────────────────────────────────────────


def test_progress_is_seen_while_the_transaction_is_open(cloned_db, monkeypatch):
    """And the lines seen are those read, though nothing of the import can be seen yet."""
    monkeypatch.setattr("draws.services.progress._EVERY_S", 0)
    draw = make_draw()
    upload = receive(draw, b"".join(b"p%d@example.org\n" % n for n in range(25_000))).upload
    seen = []
    real = ShownProgress.show

    def show(self, lines, bytes_read):
        real(self, lines, bytes_read)
        [row] = ask(cloned_db, "SELECT lines, bytes_read FROM draws_uploadprogress")
        [(entries,)] = ask(cloned_db, "SELECT count(*) FROM draws_entry")
        seen.append((*row, entries))

    monkeypatch.setattr(ShownProgress, "show", show)
    with gate(cloned_db) as shut:
        shut.shut("draws_entry")
        process = start(next_sweep())
        shut.wait_for_one()
        shown = UploadProgress.objects.get()
        assert (shown.lines, shown.bytes_read) == (25_000, upload.size)
        assert not Entry.objects.exists()
        boss = Client()
        boss.force_login(admin())
        answer = boss.get(f"/admin/draws/entryupload/{upload.pk}/progress/").json()
        assert (answer["is_over"], answer["percent"]) == (False, 100)
        assert "All 25,000 lines are read" in answer["text"]
        kill(process)
    wait_until(lambda: not upload.is_being_imported(), "the end of the transaction", 60)
    sweep()
    assert [lines for lines, _bytes, _entries in seen] == [10_000, 20_000]
    assert {entries for _lines, _bytes, entries in seen} == {0}
    assert 0 < seen[0][1] < seen[1][1] < upload.size


def ask(cloned_db, query):
    with psycopg.connect(cloned_db.url, autocommit=True) as other:
        return other.execute(query).fetchall()


def test_an_import_goes_on_when_it_can_not_be_shown(cloned_db, monkeypatch):
    draw = make_draw()
    receive(draw, LIST)
    real = ShownProgress.begin

    def begin(self, now):
        attempt = real(self, now)
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (backend,) = cursor.fetchone()
        ask(cloned_db, f"SELECT pg_terminate_backend({backend})")
        return attempt

    monkeypatch.setattr(ShownProgress, "begin", begin)
    assert [item.state for item in sweep()] == ["done"]
    assert_in_once(draw)


# ── Races ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_admins_who_upload_the_same_file_at_once_make_one_import(cloned_db):
    draw = make_draw()
    upload = partial(_receive_pk, draw.pk, LIST)
    answers = together([upload] * 4)
    assert len({pk for pk, _is_new in answers}) == 1
    assert sorted(is_new for _pk, is_new in answers) == [False, False, False, True]
    together([_sweep_count] * 4)
    assert_in_once(draw)
    assert len(default_storage.listdir("imports")[1]) == 1


def test_two_admins_who_upload_two_files_at_once_get_both_in(cloned_db):
    draw = make_draw()
    other = LIST.replace(b"p1", b"q1")
    together([partial(_receive_pk, draw.pk, content) for content in (LIST, other)])
    counts = together([_sweep_count] * 2)
    while EntryUpload.objects.filter(state="waiting").exists():  # each passed by what the other had
        counts.append(_sweep_count())
    assert sum(counts) == 2
    expected = {line.split(b",")[0].decode() for line in (LIST + other).splitlines() if b"@" in line}
    assert set(identities(draw)) == expected


def test_try_again_does_not_wait_for_the_worker_that_has_begun(cloned_db):
    draw = make_draw()
    upload = receive(draw, LIST).upload
    with gate(cloned_db) as shut:
        shut.shut("draws_importrejection")
        process = start(next_sweep())
        shut.wait_for_one()
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")  # whoever waits fails
        services.retry_upload(upload=upload, by=admin(), now=timezone.now())
        shut.open()
        process.join(60)
    assert not Record.objects.filter(action="draw.upload_retried").exists()
    assert_in_once(draw)


def test_a_freeze_passes_by_a_running_import_and_what_was_imported_is_in_the_file(cloned_db):
    draw = make_draw(entrants=3)
    receive(draw, LIST)
    with gate(cloned_db) as shut:
        shut.shut("draws_importrejection")
        process = start(next_sweep())
        shut.wait_for_one()
        assert services.freeze_due_draws(now=draw.closes_at + HOUR) == []
        shut.open()
        process.join(60)
    assert [item.pk for item in services.freeze_due_draws(now=draw.closes_at + HOUR)] == [draw.pk]
    draw.refresh_from_db()
    assert draw.manifest["entries"]["count"] == PEOPLE + 3


def _receive_pk(draw_id, content):
    received = receive(Draw.objects.get(pk=draw_id), content)
    return received.upload.pk, received.is_new


def _sweep_count():
    return len(sweep())


# ── The web process killed ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def hundred_thousand():
    rows = (f"person{n}@example.org,Person {n},{1 + n % 3}\n" for n in range(MANY))
    return ("email,name,weight\n" + "".join(rows)).encode()


class Browser:
    """Somebody signed in who sends a file as a browser does, in chunks."""

    def __init__(self, site):
        client = Client()
        client.force_login(admin())
        self.session = client.cookies["sessionid"].value
        self.site = site

    def body(self, content):
        fields = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n{"a" * 32}\r\n'
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="people.csv"\r\n'
            "Content-Type: text/csv\r\n\r\n"
        )
        return fields.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()

    def begin(self, draw, body):
        """A connection with the headers of the upload sent."""
        connection = http.client.HTTPConnection(urlsplit(self.site.url).netloc, timeout=120)
        connection.putrequest("POST", act_url(draw, "import"))
        connection.putheader("Cookie", f"sessionid={self.session}; csrftoken={'a' * 32}")
        connection.putheader("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        return connection

    def upload(self, draw, content):
        """Send all of it; returns where the answer leads."""
        body = self.body(content)
        with closing(self.begin(draw, body)) as sent:
            for start_at in range(0, len(body), 1 << 16):
                sent.send(body[start_at : start_at + (1 << 16)])
            answer = sent.getresponse()
            assert answer.status == 302, answer.read()[-2000:]
            return answer.headers["Location"]


def test_a_web_process_killed_in_the_middle_of_an_upload_leaves_nothing(
    cloned_db, live_site, hundred_thousand
):
    draw = make_draw()
    browser = Browser(live_site)
    body = browser.body(hundred_thousand)
    with closing(browser.begin(draw, body)) as sent:
        for start_at in range(0, len(body) // 2, 1 << 16):
            sent.send(body[start_at : start_at + (1 << 16)])
        live_site.web.kill()
    assert not EntryUpload.objects.exists()
    assert not default_storage.exists("imports")
    live_site.start_web()
    browser.upload(draw, hundred_thousand)
    sweep()
    assert_in_once(draw, MANY, 0)


@pytest.mark.parametrize("table", ["draws_entryupload", "draws_uploadprogress", "audit_record"])
def test_a_web_process_killed_while_it_puts_an_upload_down_leaves_nothing_that_counts(
    cloned_db, live_site, hundred_thousand, table
):
    draw = make_draw()
    browser = Browser(live_site)
    body = browser.body(hundred_thousand)
    with gate(cloned_db) as shut, closing(browser.begin(draw, body)) as sent:
        shut.shut(table)
        sent.send(body)
        backend = shut.wait_for_one(live_site.web)
        live_site.web.kill()
        shut.open(gone=backend)
    assert not EntryUpload.objects.exists()
    assert len(default_storage.listdir("imports")[1]) == 1  # nobody knows it: deleted after a day
    live_site.start_web()
    browser.upload(draw, hundred_thousand)
    sweep()
    assert_in_once(draw, MANY, 0)
    default_storage_is_clean_after_a_day()


def test_a_web_process_killed_after_the_upload_is_stored_and_before_it_answers_has_received_it(
    cloned_db, live_site, hundred_thousand
):
    """The broker takes what is sent and never answers, so that the process stands right behind its commit."""
    draw = make_draw()
    browser = Browser(live_site)
    live_site.web.kill()
    redis_url = live_site.env["REDIS_URL"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        live_site.env["REDIS_URL"] = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        live_site.start_web()
        body = browser.body(hundred_thousand)
        with closing(browser.begin(draw, body)) as sent:
            sent.send(body)
            wait_until(EntryUpload.objects.exists, "the upload to be stored", 60, live_site.web)
            live_site.web.kill()
            with pytest.raises((http.client.HTTPException, ConnectionError)):
                sent.getresponse()
    live_site.env["REDIS_URL"] = redis_url
    live_site.start_web()
    first = EntryUpload.objects.get()
    assert browser.upload(draw, hundred_thousand) == f"/admin/draws/entryupload/{first.pk}/change/"
    sweep()
    assert_in_once(draw, MANY, 0)
    browser.upload(draw, hundred_thousand)
    assert sweep() == []
    assert_in_once(draw, MANY, 0)


def test_without_redis_an_upload_is_taken_and_imported_by_the_sweep_that_beat_sends(cloned_db, live_site):
    draw = make_draw()
    browser = Browser(live_site)
    live_site.web.kill()
    redis_url = live_site.env["REDIS_URL"]
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens
        live_site.env["REDIS_URL"] = f"redis://127.0.0.1:{closed.getsockname()[1]}/0"
        live_site.start_web()
        browser.upload(draw, LIST)
    assert EntryUpload.objects.get().state == "waiting"
    live_site.env["REDIS_URL"] = redis_url
    live_site.manage("sync_schedule")
    live_site.start_worker()
    live_site.start_beat()
    wait_until(lambda: EntryUpload.objects.filter(state="done").exists(), "the sweep's import", 90)
    assert_in_once(draw)


def default_storage_is_clean_after_a_day():
    """Only the file that was put down is left."""
    for name in default_storage.listdir("imports")[1]:
        os.utime(default_storage.path(f"imports/{name}"), (0, 0))
    assert services.forget_uploads(now=timezone.now()) == 1
    [name] = default_storage.listdir("imports")[1]
    assert EntryUpload.objects.get().stored_as == f"imports/{name}"
