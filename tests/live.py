"""The real site as subprocesses, for tests that open it in a browser or kill parts of it."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from config.supervisor import WEB_OPTIONS, WORKER_OPTIONS

PROJECT = Path(__file__).resolve().parent.parent
START_SECONDS = 60


class LiveProcess:
    """One process of the site with its log; it dies with the test process, even when that is killed."""

    def __init__(self, name: str, command: Sequence[str], env: dict[str, str], folder: Path) -> None:
        self.name = name
        self.log_path = folder / f"{name}.log"
        self._log_begins = self.log_path.stat().st_size if self.log_path.exists() else 0
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=PROJECT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    @property
    def pid(self) -> int:
        """Process id."""
        return self.process.pid

    @property
    def log(self) -> str:
        """What it has written so far, without what those of its name before it wrote."""
        return self.log_path.read_bytes()[self._log_begins :].decode(errors="replace")

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def kill(self) -> None:
        """kill -9 it with all its children, and wait until it is gone."""
        self._signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds: float = 15) -> None:
        """Ask it to end; kill it after `seconds`."""
        if self.is_alive:
            self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        self.kill()

    def wait_for(self, text: str, seconds: float = START_SECONDS) -> None:
        """Wait until `text` stands in its log."""
        wait_until(lambda: text in self.log, f"{text!r} in the log of {self.name}", seconds, self)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


class LiveSite:
    """The web process over a database of its own, and worker and beat when a test asks for them."""

    def __init__(self, env: dict[str, str], folder: Path) -> None:
        self.env = dict(env)
        self.folder = folder
        self.processes: list[LiveProcess] = []
        self.port = free_port()
        self.env |= {"SITE_URL": self.url, "PORT": str(self.port)}
        self.web: LiveProcess | None = None

    @property
    def url(self) -> str:
        """Base address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """The site's data folder: media, mailbox."""
        return Path(self.env["FAIRGROUND_DATA"])

    def start_web(self) -> LiveProcess:
        """Start the web process (again, on the same port) and wait until it answers."""
        command = [sys.executable, "-m", "uvicorn", "config.asgi:application", "--host", "127.0.0.1"]
        self.web = web = self._start("web", [*command, "--port", str(self.port), *WEB_OPTIONS])
        wait_until(lambda: is_healthy(self.url), f"{self.url}/healthz", START_SECONDS, web)
        return web

    def start_worker(
        self, queues: str = "critical,default,bulk", concurrency: int = 1, *, wait: bool = True
    ) -> LiveProcess:
        """Start a Celery worker, and unless told otherwise wait until it takes tasks."""
        command = ["worker", "-Q", queues, "-c", str(concurrency), "--loglevel", "INFO", *WORKER_OPTIONS]
        worker = self._start("worker", [sys.executable, "-m", "celery", "-A", "config.worker", *command])
        if wait:
            worker.wait_for(" ready.")
        return worker

    def start_beat(self, *, wait: bool = True) -> LiveProcess:
        """Start Celery beat, and unless told otherwise wait until it has its schedule."""
        command = ["beat", "--loglevel", "INFO", "--pidfile="]
        beat = self._start("beat", [sys.executable, "-m", "celery", "-A", "config.worker", *command])
        if wait:
            beat.wait_for("maxinterval")
        return beat

    def manage(self, *arguments: str) -> str:
        """Run a management command against the site's database; returns what it printed, raises if it fails."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=PROJECT,
            env=self.env,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"manage.py {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}"
        return done.stdout

    def stop(self) -> None:
        """Kill whatever still runs, and print the logs: pytest shows them when the test failed."""
        for process in self.processes:
            process.kill()
        for path in sorted({process.log_path for process in self.processes}):
            print(
                f"--- {path.name}, last lines:",
                *path.read_text(errors="replace").splitlines()[-60:],
                sep="\n",
            )

    def _start(self, name: str, command: Sequence[str]) -> LiveProcess:
        process = LiveProcess(name, command, self.env, self.folder)
        self.processes.append(process)
        return process


def wait_until(
    condition: Callable[[], bool], what: str, seconds: float, process: LiveProcess | None = None
) -> None:
    """Wait until `condition()` holds; fails, with the log of `process`, when it ends or time runs out."""
    deadline = time.monotonic() + seconds
    while not condition():
        log = f"\n{process.log[-4000:]}" if process else ""
        assert process is None or process.is_alive, f"{process.name} ended while waiting for {what}:{log}"
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}{log}"
        time.sleep(0.05)


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_healthy(url: str) -> bool:
    """Whether the site at `url` answers."""
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def _die_with_parent() -> None:
    """Linux: the kernel kills this process when the test process goes, however it goes."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        _LIBC.prctl(pr_set_pdeathsig, signal.SIGKILL)


_LIBC = ctypes.CDLL(None)
