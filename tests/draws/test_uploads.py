"""Files of entrants: received at once, imported by the sweep, told about, tried again and forgotten."""

import datetime as dt
import io
import os

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone

from audit.models import Record
from config import roles
from draws import services
from draws.models import Draw, Entry, EntryImport, EntryUpload, ImportRejection, UploadProgress
from draws.models.uploads import MOST_ATTEMPTS
from draws.services import importing
from notifications.live import read_token
from notifications.models import Delivery, Message
from notifications.services import process_notifications
from tests.draws.admin_pages import act_url, page_of, staff, upload
from tests.draws.factories import HOUR, add_entry, identities, make_draw
from tests.factories import admin, alice, carol, make_user

pytestmark = pytest.mark.django_db

LIST = b"email\na@example.org\nb@example.org\nnobody\n"
OLD = dt.timedelta(days=8)


@pytest.fixture(autouse=True)
def _own_files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def boss(client):
    client.force_login(admin())
    return client


def receive(draw, content=LIST, *, by=None, name="people.csv"):
    return services.receive_upload(
        draw=draw, file=io.BytesIO(content), file_name=name, by=by or admin(), now=timezone.now()
    )


def sweep(later=dt.timedelta(0)):
    return services.import_due_uploads(now=timezone.now() + later)


def stored():
    return default_storage.listdir("imports")[1] if default_storage.exists("imports") else []


def close(draw):
    """Let entries close now, before the freeze has come."""
    Draw.objects.filter(pk=draw.pk).update(closes_at=timezone.now() - dt.timedelta(seconds=1))


def broken(*_args, **_kwargs):
    raise RuntimeError("the disk is full")


# ── Receiving ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_waits_until_the_sweep_imports_it():
    draw = make_draw()
    received = receive(draw)
    assert received.is_new
    assert (received.upload.state, identities(draw)) == ("waiting", {})
    [done] = sweep()
    assert done == received.upload
    assert (done.state, done.report.accepted, done.report.rejected) == ("done", 2, 1)
    assert set(identities(draw)) == {"a@example.org", "b@example.org"}
    assert sweep() == []
    assert EntryImport.objects.count() == 1
    actions = Record.objects.filter(target=draw.about, action__startswith="draw.entries").order_by("pk")
    assert [entry.action for entry in actions] == ["draw.entries_uploaded", "draw.entries_imported"]
    assert "example.org" not in str([entry.data for entry in actions])


@pytest.mark.parametrize("is_imported", [False, True])
def test_the_same_file_sent_again_is_the_same_upload(is_imported):
    draw = make_draw()
    first = receive(draw)
    if is_imported:
        sweep()
    again = receive(draw, name="the same under another name.csv")
    assert (again.upload, again.is_new) == (first.upload, False)
    sweep()
    assert EntryImport.objects.count() == 1
    assert len(stored()) == 1


def test_another_draw_takes_the_same_file():
    one, other = make_draw(), make_draw()
    receive(one), receive(other)
    sweep()
    assert identities(one) == identities(other) != {}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"PK\x03\x04....[Content_Types].xml", "Save as"),
        (b"PK\x03\x04....people.csv", "Unpack it"),
        ("a@example.org\n".encode("utf-16"), "UTF-16"),
        (b"%PDF-1.7", "not a CSV file"),
        (b"\x89PNG\r\n\x1a\n", "not a CSV file"),
        (b"", "no lines"),
    ],
)
def test_what_is_no_list_is_not_taken(content, sentence):
    with pytest.raises(services.UploadRefusedError, match=sentence):
        receive(make_draw(), content)
    assert not EntryUpload.objects.exists()
    assert stored() == []


def test_a_file_that_is_too_large_is_not_taken(settings):
    settings.UPLOAD_MAX_BYTES = len(LIST) - 1
    with pytest.raises(services.UploadRefusedError, match="larger than"):
        receive(make_draw())
    settings.UPLOAD_MAX_BYTES = len(LIST)
    assert receive(make_draw()).is_new


def test_a_request_keeps_no_more_than_the_limit_and_no_file_under_a_name(settings, tmp_path, monkeypatch):
    settings.UPLOAD_MAX_BYTES = 100_000
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 10
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    sent = {"a": io.BytesIO(b"x" * 70_000), "b": io.BytesIO(b"y" * 300_000), "c": io.BytesIO(b"z" * 5)}
    for name, file in sent.items():
        file.name = f"{name}.csv"
    request = RequestFactory().post("/", sent | {"word": "said"})
    sizes = {name: file.size for name, file in request.FILES.items()}
    assert sizes["a"] == 70_000
    assert sum(sizes.values()) == 100_001
    assert request.FILES["a"].file.read() == b"x" * 70_000
    assert request.POST["word"] == "said"
    assert os.listdir(tmp_path) == []


def test_a_file_beyond_the_limit_is_refused_in_words(boss, settings):
    settings.UPLOAD_MAX_BYTES = 2**20
    response = boss.post(act_url(make_draw(), "import"), upload(b"a@example.org\n" * 100_000))
    assert "The file is larger than 1 MB." in response.content.decode()
    assert not EntryUpload.objects.exists()


def test_a_closed_draw_takes_no_file_and_keeps_none():
    with pytest.raises(services.EntryRefusedError, match="Entries are closed"):
        receive(make_draw(closes_in=-HOUR))
    assert stored() == []


# ── Cutoff ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_that_waits_when_entries_close_is_refused_and_everyone_concerned_is_told(boss):
    draw = make_draw()
    sender = staff(roles.MANAGER_ADMIN)
    waiting = receive(draw, by=sender).upload
    close(draw)
    [refused] = sweep()
    assert (refused.pk, refused.state, identities(draw)) == (waiting.pk, "refused", {})
    assert "came in time" in refused.why
    assert refused.why in boss.get(page_of(draw)).content.decode().replace("&#x27;", "'")
    message = Message.objects.get(kind="draws.import_stopped")
    assert message.context["why"] == refused.why
    process_notifications(now=timezone.now())
    members = set(Delivery.objects.filter(message=message).values_list("member__email", flat=True))
    assert members == {sender.email, admin().email}
    assert sweep() == []


def test_a_draw_that_was_frozen_first_refuses_the_file():
    draw = make_draw()
    add_entry(draw, "first@example.org")
    receive(draw)
    services.freeze_draw(draw_id=draw.pk, now=timezone.now(), by=admin(), reason="The hall is full")
    [refused] = sweep()
    assert refused.state == "refused"
    assert "frozen before the file was imported" in refused.why
    assert set(identities(draw)) == {"first@example.org"}


def test_whoever_freezes_by_hand_is_told_what_waits(boss):
    draw = make_draw(entrants=1)
    receive(draw)
    assert "1 uploaded file has not been imported yet" in boss.get(act_url(draw, "freeze")).content.decode()
    sweep()
    assert "not been imported" not in boss.get(act_url(draw, "freeze")).content.decode()


def test_entries_that_close_later_let_the_file_be_tried_again():
    draw = make_draw()
    waiting = receive(draw).upload
    close(draw)
    sweep()
    waiting.refresh_from_db()
    with pytest.raises(services.EntryRefusedError, match="Entries are closed"):
        services.retry_upload(upload=waiting, by=admin(), now=timezone.now())
    Draw.objects.filter(pk=draw.pk).update(closes_at=timezone.now() + HOUR)
    for _pressed_twice in range(2):
        services.retry_upload(upload=waiting, by=admin(), now=timezone.now())
    [done] = sweep()
    assert (done.pk, done.state, done.why) == (waiting.pk, "done", "")
    assert len(identities(draw)) == 2
    assert Record.objects.filter(action="draw.upload_retried").count() == 1


# ── Failing ───────────────────────────────────────────────────────────────────────────────────────────────


def test_an_import_that_fails_is_tried_again_a_few_times_and_then_waits_for_a_person(monkeypatch):
    draw = make_draw()
    waiting = receive(draw).upload
    attempts = iter(range(1, 100))
    monkeypatch.setattr("draws.services.progress.ShownProgress.begin", lambda self, now: next(attempts))
    monkeypatch.setattr(importing, "insert_staged", broken)
    for _attempt in range(MOST_ATTEMPTS - 1):
        assert sweep() == []
    [failed] = sweep()
    assert (failed.state, identities(draw), bool(failed.stored_as)) == ("failed", {}, True)
    assert f"failed {MOST_ATTEMPTS} times on our side, the last time with RuntimeError" in failed.why
    assert sweep() == []
    assert Message.objects.filter(kind="draws.import_stopped").count() == 1
    monkeypatch.undo()
    services.retry_upload(upload=waiting, by=admin(), now=timezone.now())
    assert [item.state for item in sweep()] == ["done"]


def test_attempts_are_further_and_further_apart():
    now = timezone.now()
    waits = [UploadProgress(attempts=n, started_at=now) for n in range(1, 5)]
    pauses = [next(s for s in range(1000) if item.is_due(now + dt.timedelta(seconds=s))) for item in waits]
    assert pauses == [5, 15, 45, 135]
    assert UploadProgress().is_due(now)


@pytest.mark.parametrize("change", ["removed", "changed"])
def test_a_file_that_is_not_there_any_more_fails_at_once(change):
    draw = make_draw()
    waiting = receive(draw).upload
    default_storage.delete(waiting.stored_as)
    if change == "changed":
        default_storage.save(waiting.stored_as, ContentFile(b"x@example.org\ny@example.org\n"))
    [failed] = sweep()
    assert (failed.state, identities(draw)) == ("failed", {})
    assert "Upload it again" in failed.why
    assert not EntryImport.objects.exists()
    assert receive(draw).is_new
    assert [item.state for item in sweep()] == ["done"]


def test_a_retry_steps_back_where_the_file_was_uploaded_again():
    draw = make_draw()
    first = receive(draw).upload
    EntryUpload.objects.filter(pk=first.pk).update(state="failed", ended_at=timezone.now())
    assert receive(draw).is_new
    first.refresh_from_db()
    with pytest.raises(services.UploadRefusedError, match="uploaded again meanwhile"):
        services.retry_upload(upload=first, by=admin(), now=timezone.now())
    sweep()
    assert EntryImport.objects.count() == 1


def test_one_that_breaks_off_does_not_stop_the_others(monkeypatch):
    draws = [make_draw(), make_draw()]
    for draw in draws:
        receive(draw)
    real = services.uploads.import_entries

    def only_the_second(*, draw, **rest):
        return broken() if draw == draws[0] else real(draw=draw, **rest)

    monkeypatch.setattr(services.uploads, "import_entries", only_the_second)
    assert [item.draw for item in sweep()] == [draws[1]]
    assert EntryUpload.objects.get(draw=draws[0]).state == "waiting"


def test_reasons_are_in_the_language_of_whoever_sent_the_file(monkeypatch):
    seen = []
    real = importing.insert_staged

    def insert(**given):
        seen.append(importing._("Yes"))
        return real(**given)

    monkeypatch.setattr(importing, "insert_staged", insert)
    for sender in (carol(), admin()):
        receive(make_draw(), by=sender)
    sweep()
    assert seen == ["Oui", "Yes"]


# ── Forgetting ────────────────────────────────────────────────────────────────────────────────────────────


def test_the_file_is_deleted_a_week_after_its_import_ended():
    draw = make_draw()
    done = receive(draw).upload
    waits = receive(make_draw()).upload
    services.import_upload(upload_id=done.pk, now=timezone.now())
    assert services.forget_uploads(now=timezone.now() + dt.timedelta(days=6)) == 0
    assert services.forget_uploads(now=timezone.now() + OLD) == 1
    assert services.forget_uploads(now=timezone.now() + OLD) == 0
    assert [f"imports/{name}" for name in stored()] == [waits.stored_as]
    done.refresh_from_db()
    assert (done.stored_as, done.state) == ("", "done")


def test_a_file_that_nobody_put_down_is_deleted_after_a_day():
    kept = receive(make_draw()).upload
    fresh = default_storage.save("imports/fresh.csv", ContentFile(LIST))
    old = default_storage.save("imports/old.csv", ContentFile(LIST))
    for name in (old, kept.stored_as):
        os.utime(default_storage.path(name), (0, 0))
    assert services.forget_uploads(now=timezone.now()) == 1
    assert {f"imports/{name}" for name in stored()} == {kept.stored_as, fresh}


def test_nothing_is_tried_again_once_the_file_is_gone(boss):
    draw = make_draw()
    refused = receive(draw, b"nobody\n").upload
    sweep()
    services.forget_uploads(now=timezone.now() + OLD)
    refused.refresh_from_db()
    with pytest.raises(services.UploadRefusedError, match="not kept any more"):
        services.retry_upload(upload=refused, by=admin(), now=timezone.now())
    page = boss.get(reverse("admin:draws_entryupload_change", args=[refused.pk])).content.decode()
    assert "not kept any more" in page
    assert "Try again" not in page


# ── Guards ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "change",
    [
        lambda: EntryImport.objects.update(accepted=7),
        lambda: EntryImport.objects.all()._raw_delete("default"),
        lambda: ImportRejection.objects.update(reason="None"),
        lambda: ImportRejection.objects.update(content="Somebody else"),
        lambda: ImportRejection.objects.all()._raw_delete("default"),
        lambda: EntryUpload.objects.update(state="waiting", report=None, ended_at=None),
        lambda: EntryUpload.objects.update(file_sha256="0" * 64),
        lambda: EntryUpload.objects.update(stored_as="imports/other.csv"),
        lambda: EntryUpload.objects.all()._raw_delete("default"),
    ],
)
def test_what_was_received_and_reported_never_changes(change):
    receive(make_draw())
    sweep()
    with pytest.raises(IntegrityError, match=r"written once|stays|never deleted|keeps"), transaction.atomic():
        change()


def test_the_address_in_a_refused_line_may_be_erased():
    receive(make_draw())
    sweep()
    assert ImportRejection.objects.update(content="") == 1


# ── Pages ─────────────────────────────────────────────────────────────────────────────────────────────────


def progress_url(item):
    return reverse("admin:draws_entryupload_progress", args=[item.pk])


def test_the_page_says_how_far_it_is(boss):
    waiting = receive(make_draw()).upload
    page = reverse("admin:draws_entryupload_change", args=[waiting.pk])
    answer = boss.get(progress_url(waiting)).json()
    assert read_token(answer.pop("token"), timezone.now()).topics == (f"import:{waiting.pk}",)
    assert answer.pop("last").isdecimal()
    assert answer == {
        "is_over": False,
        "percent": 0,
        "text": "The file is received. A worker begins in a few seconds.",
    }
    assert progress_url(waiting) in boss.get(page).content.decode()
    UploadProgress.objects.update(attempts=2, lines=10, bytes_read=20)
    assert "Attempt 2 of 5 broke off" in boss.get(progress_url(waiting)).json()["text"]
    sweep()
    assert boss.get(progress_url(waiting)).json()["is_over"]
    waiting.refresh_from_db()
    assert boss.get(page).url == reverse("admin:draws_entryimport_change", args=[waiting.report_id])


def test_try_again_is_a_button_for_those_who_may_import(boss, client):
    refused = receive(make_draw(), b"nobody\n").upload
    sweep()
    page = reverse("admin:draws_entryupload_change", args=[refused.pk])
    retry = reverse("admin:draws_entryupload_retry", args=[refused.pk])
    assert f'action="{retry}"' in boss.get(page).content.decode()
    assert boss.get(retry).status_code == 405
    assert "waits to be imported again" in boss.post(retry, follow=True).content.decode()
    assert EntryUpload.objects.get().state == "waiting"
    client.force_login(staff(roles.FINANCE))
    assert client.post(retry).status_code == 404


@pytest.mark.parametrize(
    ("who", "statuses"),
    [
        (admin, (200, 200)),
        (lambda: staff(roles.MANAGER_ADMIN), (200, 200)),
        (lambda: staff(roles.FINANCE), (404, 404)),
        (lambda: staff(roles.SUPPORT_LEAD), (404, 404)),
        (lambda: make_user(is_staff=True), (404, 404)),
        (alice, (404, 404)),
        (lambda: None, (302, 404)),
    ],
    ids=["super admin", "manager", "finance", "support lead", "plain staff", "member", "stranger"],
)
def test_others_find_no_progress(client, who, statuses):
    waiting = receive(make_draw()).upload
    if (person := who()) is not None:
        client.force_login(person)
    addresses = (reverse("admin:draws_entryupload_change", args=[waiting.pk]), progress_url(waiting))
    assert tuple(client.get(address).status_code for address in addresses) == statuses
    assert client.get(reverse("admin:draws_entryupload_progress", args=[10**6])).status_code == 404


def test_the_list_and_the_draw_show_what_waits(boss):
    draw = make_draw()
    receive(draw, name="entrants of May.csv")
    assert "entrants of May.csv" in boss.get(reverse("admin:draws_entryupload_changelist")).content.decode()
    assert "entrants of May.csv" in boss.get(page_of(draw)).content.decode()


def test_entries_are_those_of_one_import_only():
    draw = make_draw()
    receive(draw)
    receive(draw, b"email\nb@example.org\nc@example.org\n")
    sweep()
    assert Entry.objects.filter(draw=draw).count() == 3
    assert sorted(EntryImport.objects.values_list("accepted", "rejected")) == [(1, 1), (2, 1)]
