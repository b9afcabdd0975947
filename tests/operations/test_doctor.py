"""`manage.py doctor` finds what is wrong, names what mends it, and never hangs."""

import datetime as dt
import io
import json
import socket
import time
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from audit.client import networks
from config.models import Alarm, AlarmNotice
from config.operations import doctor, signs, vitals
from config.operations.doctor import Level
from draws.models import Draw
from notifications.models import Delivery, State
from payments.checking import Difference
from tests.draws.factories import make_executed, make_frozen
from tests.factories import alice
from tests.fakes.drand import FakeRelay, Trick
from tests.fakes.mailgun import FakeMailgun
from tests.fakes.smtp import FakeSMTP
from tests.live import free_port
from tests.notifications.mailgun_site import settings_of


@pytest.fixture(autouse=True)
def _socket_timeouts():
    before = socket.getdefaulttimeout()
    yield
    socket.setdefaulttimeout(before)


@pytest.fixture
def site(healthy, monkeypatch):
    """A healthy site whose workers answer."""
    monkeypatch.setattr(vitals, "answering_workers", lambda: {"worker@host": list(signs.QUEUES)})
    return healthy


def faults(**options) -> dict[str, tuple[str, str]]:
    """What is wrong: text and mend by subject."""
    found = list(doctor.examine(now=timezone.now(), **options))
    return {each.subject: (each.text, each.mend) for each in found if each.level is Level.WRONG}


def run(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("doctor", *arguments, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_nothing_is_wrong_with_a_healthy_site(site):
    code, text = run()
    assert (code, text.splitlines()[-1]) == (0, "Nothing is wrong.")


def test_something_wrong_is_exit_status_one_also_as_json(site):
    PeriodicTask.objects.filter(name="draws: execute").update(enabled=False)
    code, text = run("--json")
    told = json.loads(text)
    assert (code, told["healthy"]) == (1, False)
    [fault] = [each for each in told["findings"] if each["level"] == "wrong"]
    assert fault == {
        "subject": "schedule",
        "level": "wrong",
        "text": "The job “draws: execute” is switched off.",
        "mend": "Switch it on in the admin: Periodic tasks.",
    }


def test_a_schedule_out_of_step(site):
    PeriodicTask.objects.filter(name="audit: seal").delete()
    assert faults()["schedule"] == (
        "The job “audit: seal” is missing or another.",
        "Run manage.py sync_schedule.",
    )


def test_draws_that_are_due_and_not_drawn(site):
    make_frozen()
    Draw.objects.update(execution_error="The pool is short.")
    text, mend = faults()["draw-failed"]
    assert "The pool is short." in text
    assert "manage.py execute_due_draws" in mend


def test_a_silent_beat_and_workers_that_do_not_answer(site, monkeypatch, settings):
    site(beat_ago=settings.BEAT_LATE_SECONDS + 1)
    monkeypatch.setattr(vitals, "answering_workers", dict)
    found = faults()
    assert "celery -A config.worker beat" in found["beat"][1]
    assert "celery -A config.worker worker -Q bulk" in found["workers"][1]


def test_a_queue_that_grows(site):
    with vitals.redis_client() as redis:
        redis.lpush("bulk", *range(doctor.LONG_QUEUE + 1))
    assert faults()["queues"][0] == "1,001 messages wait in bulk."


def test_claims_of_dead_workers(site):
    make_executed(members=[alice()])
    call_command("process_notifications")
    past = timezone.now() - dt.timedelta(hours=1)
    Delivery.objects.filter(channel="email").update(state=State.CLAIMED, lease_until=past)
    assert faults()["deliveries"][1].startswith("Run manage.py process_notifications")


def test_a_ledger_that_differs(site, monkeypatch):
    monkeypatch.setattr(doctor, "check_ledger", lambda: [Difference("sum", "wallet:1", "1", "2")])
    assert "manage.py check_ledger" in faults()["ledger"][1]


def test_a_ledger_too_big_for_now_is_left_to_its_command(site, monkeypatch):
    def slow():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(30)")

    monkeypatch.setattr(doctor, "STATEMENT_TIMEOUT_S", 0.1)
    monkeypatch.setattr(doctor, "check_ledger", slow)
    assert "ledger" not in faults()


def test_alarms_that_nobody_heard(site):
    alarm = Alarm.objects.create(key="x", title="x", mend="x", raised_at=timezone.now())
    AlarmNotice.objects.create(alarm=alarm, event="raised", channel="webhook", error="status 403")
    assert "status 403" in faults()["alarms"][0]


def test_without_a_database_it_says_so_and_looks_at_the_rest(site, monkeypatch):
    def refuse(*args, **kwargs):
        raise OperationalError("connection refused\nIs the server running?")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", refuse)
        found = faults()
    assert found == {
        "database": (
            "PostgreSQL is not reachable: connection refused",
            "Start it, or correct DATABASE_URL.",
        )
    }


def test_without_redis(site, settings):
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    assert set(faults()) == {"redis"}


def test_a_folder_that_is_none(site, settings, tmp_path):
    (tmp_path / "file").touch()
    settings.MEDIA_ROOT = str(tmp_path / "file" / "media")
    assert "MEDIA_ROOT" in faults()["storage"][0]


def test_a_full_disk(site, monkeypatch):
    monkeypatch.setattr(
        doctor.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 5 << 20, "total": 1 << 40})
    )
    assert faults()["storage"][0].startswith("5 MB are left")


def test_production_without_its_files_and_with_weak_settings(site, settings, tmp_path):
    settings.EMBEDDED, settings.STATIC_ROOT = False, str(tmp_path)
    settings.TRUSTED_PROXIES = networks([])
    settings.SITE_URL, settings.STAFF_SECOND_FACTOR = "fairground", True
    found = faults()
    assert found["storage"][1] == "Run manage.py collectstatic."
    assert "SITE_URL" in found["settings"][0]


def test_relays_one_of_which_answers_are_no_fault(site, settings):
    with FakeRelay(Trick.STALL) as silent:
        settings.DRAND_RELAYS = [silent.url]
        doctor_timeout = doctor.NETWORK_TIMEOUT_S
        doctor.NETWORK_TIMEOUT_S = 0.2
        try:
            found = faults()
        finally:
            doctor.NETWORK_TIMEOUT_S = doctor_timeout
    assert found["drand"][0] == "No relay answers: draws that use drand wait."


def test_mailgun_that_lets_us_in_and_one_that_does_not(site, settings):
    with FakeMailgun() as mailgun:
        for name, value in settings_of(mailgun).items():
            setattr(settings, name, value)
        assert "mail" not in faults(mail=True)
        settings.MAILGUN_API_KEY = "key-for-sending-alone"
        said, advice = faults(mail=True)["mail"]
        assert "401" in said
        assert "MAILGUN_API_KEY" in advice
        assert not mailgun.posts, "asking sends nothing"


def test_a_mail_server_that_is_away_and_one_that_is_there(site, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    assert "EMAIL_URL" in faults(mail=True)["mail"][1]
    with FakeSMTP() as server:
        settings.EMAIL_PORT = server.port
        assert "mail" not in faults(mail=True)
        assert not server.counts, "asking sends nothing"


def test_it_gives_up_in_the_end(live_site):
    """Whatever it hangs in: here, a Redis that takes the line and says nothing, and no limit on sockets."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        env = live_site.env | {"DATABASE_URL": f"postgres://x:y@127.0.0.1:{silent.getsockname()[1]}/x"}
        live_site.env = env
        began = time.monotonic()
        with pytest.raises(AssertionError, match=r"gave up after 2 s|not reachable"):
            live_site.manage("doctor", "--seconds", "2")
        assert time.monotonic() - began < 60, "it ended by itself"


def test_every_symptom_of_the_handbook_names_a_command_that_there_is():
    text = (Path(doctor.__file__).parents[2] / "docs" / "operations.md").read_text()
    named = {word.split()[0] for word in text.replace("`", " ").split("manage.py ")[1:]}
    commands = {name.strip(".,:;|)") for name in named} - {"…"}
    root = Path(doctor.__file__).parents[2]
    ours = {path.stem for path in root.glob("*/management/commands/*.py")}
    django = {
        "migrate",
        "collectstatic",
        "check",
        "shell",
        "showmigrations",
        "clearsessions",
        "changepassword",
    }
    assert commands <= ours | django
