"""`make run`: the whole site in one terminal, started for real, stopped and killed in every way."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from config.embedded_processes import processes_in
from config.supervisor import WEB_OPTIONS, WORKER_OPTIONS, Child, SupervisorError, wait_for_port
from tests.databases import with_database
from tests.live import PROJECT, free_port, wait_until

START_SECONDS = 120
GREETING = "Ctrl-C stops all of it."


class Run:
    """`python -m config.supervisor` with its output and every process it ever started."""

    def __init__(self, environment):
        self.environment = environment
        self.seen = {}
        self.folder = Path(environment["FAIRGROUND_DATA"]).parent
        self.log = self.folder / f"run-{free_port()}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "config.supervisor"],
                cwd=PROJECT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def output(self):
        return self.log.read_text()

    def children(self):
        found = {
            process.pid: process for process in psutil.Process(self.process.pid).children(recursive=True)
        }
        self.seen |= found
        return list(found.values())

    def child(self, *words):
        """The process started by the supervisor itself whose command line has all `words`."""
        direct = psutil.Process(self.process.pid).children()
        return next((each for each in direct if set(words) <= set(command_line(each))), None)

    def wait_for(self, text, seconds=START_SECONDS):
        def is_there():
            assert text in self.output or self.process.poll() is None, self.output
            return text in self.output

        wait_until(is_there, f"{text!r} of the supervisor, which wrote:\n{self.output}", seconds)

    def wait_until_ready(self):
        self.wait_for(GREETING)
        wait_until(
            lambda: (worker := self.child("celery", "worker")) and worker.children(), "the worker's pool", 60
        )
        self.children()

    def get(self, path):
        link = http.client.HTTPConnection("127.0.0.1", int(self.environment["PORT"]), timeout=30)
        link.request("GET", path)
        return link.getresponse().status

    def everything_has_gone(self):
        data = Path(self.environment["FAIRGROUND_DATA"])
        servers = [*processes_in(data / "postgresql"), *processes_in(data / "valkey")]
        return not servers and not any(is_alive(process) for process in self.seen.values())


def command_line(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def is_alive(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def environment():
    """An empty data folder, a free port, no servers given, and no demo, whose import would take a while."""
    above = Path(tempfile.mkdtemp(prefix="fairground-test-")).resolve()
    ours = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("FAIRGROUND_", "PYTEST_"))
        and key not in ("DATABASE_URL", "REDIS_URL", "NO_COLOR")
    }
    yield ours | {"FAIRGROUND_DATA": str(above / "data"), "PORT": str(free_port()), "FAIRGROUND_DEMO": "0"}
    shutil.rmtree(above, ignore_errors=True)


@pytest.fixture
def start(environment):
    runs = []

    def start_one(**more):
        runs.append(Run(environment | more))
        return runs[-1]

    yield start_one
    for run in runs:
        if run.process.poll() is None:
            run.children()
            run.process.kill()
            run.process.wait()
    for run in runs:
        wait_until(run.everything_has_gone, f"the end of everything after\n{run.output}", 60)


def test_ctrl_c_ends_everything_and_the_next_start_finds_it_prepared(start):
    first = start()
    first.wait_until_ready()
    assert first.get("/healthz") == 200
    assert "preparing the database" in first.output
    assert f"http://127.0.0.1:{first.environment['PORT']}/admin/" in first.output
    assert "web    | " in first.output
    assert "\x1b[" not in first.output, "colours in a file"
    first.process.send_signal(signal.SIGINT)
    assert first.process.wait(60) == 0
    assert first.everything_has_gone(), "it ended before what it had started"
    assert first.output.splitlines()[-1] == "Fairground: stopped."

    second = start()
    second.wait_until_ready()
    assert "preparing the database" not in second.output
    second.process.terminate()
    assert second.process.wait(60) == 0
    assert second.everything_has_gone()


def test_a_killed_supervisor_leaves_nothing_behind_and_starts_again_at_once(start):
    first = start()
    first.wait_until_ready()
    first.process.kill()
    first.process.wait()
    second = start()
    second.wait_until_ready()
    assert second.get("/healthz") == 200
    wait_until(
        lambda: not any(map(is_alive, first.seen.values())), "the end of the first one's processes", 30
    )


def test_whatever_dies_is_started_again(start):
    run = start()
    run.wait_until_ready()
    data = Path(run.environment["FAIRGROUND_DATA"])
    for words in (["uvicorn"], ["celery", "worker"], ["celery", "beat"]):
        victim = run.child(*words)
        victim.kill()
        wait_until(lambda: run.child(*words) not in (None, victim), f"a new {words[-1]}", 60)  # noqa: B023
    for victim in (*processes_in(data / "valkey"), *processes_in(data / "postgresql")):
        victim.kill()
    run.wait_for("an embedded server had died and runs again")
    wait_until(
        lambda: processes_in(data / "valkey") and processes_in(data / "postgresql"), "both servers", 30
    )
    run.children()
    wait_until(lambda: answers(run), "an answer of the site", 60)
    assert "web ended (killed by SIGKILL) and starts again in 1 s." in run.output


def answers(run):
    try:
        return run.get("/healthz") == 200
    except (OSError, http.client.HTTPException):
        return False


def test_a_taken_port_is_told_in_one_sentence_before_anything_is_started(start, environment):
    with socket.socket() as taker:
        taker.bind(("127.0.0.1", int(environment["PORT"])))
        taker.listen()
        run = start()
        assert run.process.wait(60) == 1
    [sentence] = run.output.splitlines()
    assert sentence.startswith(
        f"Fairground: port {environment['PORT']} on 127.0.0.1 can't be used (address already in use)"
    )
    assert not Path(environment["FAIRGROUND_DATA"]).exists()


def test_a_port_that_is_just_being_left_is_waited_for(environment):
    port = int(environment["PORT"])
    taker = socket.create_server(("127.0.0.1", port))
    with pytest.raises(SupervisorError):
        wait_for_port("127.0.0.1", port, 0)
    taker.close()
    wait_for_port("127.0.0.1", port, 0)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"PORT": "http"}, "PORT is 'http'"),
        ({"PORT": "0"}, "PORT is '0'"),
        ({"PORT": "65536"}, "PORT is '65536'"),
        ({"HOST": "no.such.host.example"}, "HOST is 'no.such.host.example'"),
    ],
)
def test_a_wrong_address_is_told_in_one_sentence(start, more, sentence):
    run = start(**more)
    assert run.process.wait(60) == 1
    [line] = run.output.splitlines()
    assert sentence in line


def test_an_unusable_data_folder_is_told_in_one_sentence(start, environment):
    Path(environment["FAIRGROUND_DATA"]).write_text("")
    run = start()
    assert run.process.wait(60) == 1
    [line] = run.output.splitlines()
    assert line.startswith("Fairground: The data folder")


@pytest.fixture
def given(cloned_db):
    """The settings of a site that brings its own servers, as in production."""
    names = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "LINK_KEY", "DRAW_SECRET_KEYS", "SECOND_FACTOR_KEYS")
    return {name: cloned_db.env[name] for name in names} | {
        "ALLOWED_HOSTS": "127.0.0.1",
        "SITE_URL": "https://fairground.example",
        "SECURE_SSL_REDIRECT": "0",
    }


def test_no_server_is_started_where_both_are_given(start, given):
    run = start(**given)
    run.wait_until_ready()
    assert run.get("/healthz") == 200
    data = Path(run.environment["FAIRGROUND_DATA"])
    assert not (data / "postgresql").exists()
    assert not (data / "lock").exists()
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(60) == 0


def test_servers_of_ones_own_are_all_it_takes_to_try_the_site_on_them(start, given):
    run = start(DATABASE_URL=given["DATABASE_URL"], REDIS_URL=given["REDIS_URL"])
    run.wait_until_ready()
    assert run.get("/dev/mailbox/") == 200
    assert not (Path(run.environment["FAIRGROUND_DATA"]) / "postgresql").exists()


def test_a_site_that_can_not_start_ends_with_its_reason(start, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nif 'uvicorn' in sys.orig_argv:\n    print('the reason', flush=True)\n    raise SystemExit(3)\n"
    )
    run = start(PYTHONPATH=str(tmp_path))
    assert run.process.wait(START_SECONDS) == 1
    assert "web    | the reason" in run.output
    assert run.output.splitlines()[-1].startswith("Fairground: the web process ended 3 times")


def test_a_database_that_can_not_be_prepared_ends_it(start, given):
    run = start(**given | {"DATABASE_URL": with_database(given["DATABASE_URL"], "no_such_database")})
    assert run.process.wait(START_SECONDS) == 1
    assert "no_such_database" in run.output
    assert run.output.splitlines()[-1].startswith("Fairground: the database could not be prepared")


def test_pauses_grow_while_a_process_keeps_failing_and_shrink_when_it_has_run_well():
    child = Child("worker", [])
    child.started_at = 100.0
    assert [child.count_failure(100.0) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert child.count_failure(131.0) == 1
    assert child.start_at == 132.0


def test_output_is_shown_in_whole_lines():
    child = Child("web", [])
    assert child.lines(b"one\ntw") == ["one"]
    assert child.lines("o\r\nthr\u00e9".encode()) == ["two"]
    assert child.lines(b"") == ["thr\u00e9"]
    assert child.lines(b"") == []


def test_the_hub_in_production_runs_with_the_options_of_the_web_process_here():
    [hub] = [line for line in (PROJECT / "Procfile").read_text().splitlines() if line.startswith("hub: ")]
    assert " ".join(WEB_OPTIONS) in hub


def test_every_worker_in_production_runs_without_what_deafens_it():
    lines = (PROJECT / "Procfile").read_text().splitlines()
    workers = [line for line in lines if " worker -Q " in line]
    assert len(workers) == 2
    assert all(set(WORKER_OPTIONS) <= set(line.split()) for line in workers)
