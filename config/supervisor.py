"""`make run`: the whole site in one terminal: web with live updates, worker and beat, and the servers they need.

It checks the port, brings up what `config.embedded` has to, prepares the database in one process,
starts the three and keeps them running, with their output behind coloured names. Ctrl-C ends all of it.

Should it be killed itself, two things see to the rest: the *leash*, a process forked at the start that ends
the three as soon as it is alone, and the servers' guardian (`config/embedded.py`).

`HOST` and `PORT` set the address (127.0.0.1, 8000).
"""

import contextlib
import http.client
import io
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from config import embedded
from config.embedded_account import EmbeddedError

PROJECT = Path(__file__).resolve().parent.parent
PORT_SECONDS = 1.5  # the site before may still be on its way out
STOP_SECONDS = 10
LEASH_SECONDS = 3
HEAL_SECONDS = 2
STEADY_SECONDS = 30  # who has run this long may fail again without a penalty
MOST_BACKOFF_SECONDS = 30
WEB_FAILURES = 3

# In a container everybody is root: Celery's page about it would bury what matters.
_CELERY = (
    "-W",
    "ignore:You're running the worker with superuser",
    "-m",
    "celery",
    "-A",
    "config.worker",
    "--quiet",
)
# What workers tell each other is of no use here, and with it one may take no more jobs after Redis was away for a
# moment: it is connected, and deaf (celery/celery#8030, #8082; seen with 5.7.0).
WORKER_OPTIONS = ("--without-gossip", "--without-mingle", "--without-heartbeat")
# Access logs would hold the secrets that stand in addresses; our own line about each request names none. A WebSocket here
# says little and hears little: packing that up would cost a quarter of a megabyte each.
WEB_OPTIONS = (
    "--no-access-log",
    *("--ws", "wsproto", "--ws-per-message-deflate", "false", "--ws-max-size", "4096"),
)
_COLOURS = {"web": 36, "worker": 33, "beat": 35, "site": 32}


class SupervisorError(Exception):
    """The site can't run; the message is one sentence that says what to do."""


def main() -> int:
    """Run the site until Ctrl-C or SIGTERM; returns the exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    terminal = Terminal()
    try:
        host, port = os.environ.get("HOST") or "127.0.0.1", _port()
        wait_for_port(host, port, PORT_SECONDS)
        with (
            contextlib.closing(Leash()) as leash,  # before anything else that a fork would take along
            contextlib.closing(Supervisor(host, port, terminal, leash)) as supervisor,
        ):
            supervisor.run()
    except KeyboardInterrupt:
        pass
    except (SupervisorError, EmbeddedError) as error:
        terminal.say(str(error))
        return 1
    except BrokenPipeError:  # whoever read our output has gone
        return 1
    terminal.say("stopped.")
    return 0


class Terminal:
    """Where everybody's lines go, behind their names."""

    def __init__(self) -> None:
        self.has_colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def line(self, name: str, text: str) -> None:
        """One line of the process `name`."""
        label = f"{name:<6} |"
        print(
            f"\x1b[{_COLOURS[name]}m{label}\x1b[0m {text}" if self.has_colour else f"{label} {text}",
            flush=True,
        )

    def say(self, text: str) -> None:
        """One line of our own."""
        print(f"Fairground: {text}", flush=True)


class Leash:
    """A process that ends the others when we no longer can: it reads a pipe whose other end only we hold."""

    def __init__(self) -> None:
        reading, self._writing = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._writing)
            try:
                _hold_leash(reading)
            finally:
                os._exit(0)
        os.close(reading)

    def tie(self, pid: int) -> None:
        """`pid`, which leads a process group, is to end with us."""
        os.write(self._writing, b"+%d\n" % pid)

    def untie(self, pid: int) -> None:
        """`pid` has ended; its number may soon be another's."""
        os.write(self._writing, b"-%d\n" % pid)

    def close(self) -> None:
        """Let the leash go, after what it held has ended."""
        os.close(self._writing)
        os.waitpid(self._pid, 0)


def _hold_leash(reading: int) -> None:
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    tied: set[int] = set()
    with os.fdopen(reading) as pipe:
        for line in pipe:
            (tied.add if line[0] == "+" else tied.discard)(int(line[1:]))
    _signal_each(tied, signal.SIGTERM, os.kill)
    deadline = time.monotonic() + LEASH_SECONDS
    while time.monotonic() < deadline and _signal_each(tied, 0, os.killpg):
        time.sleep(0.05)
    _signal_each(tied, signal.SIGKILL, os.killpg)


def _signal_each(pids: Iterable[int], number: int, send: Callable[[int, int], None]) -> int:
    """Send `number` to each; returns how many were there."""
    reached = 0
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            send(pid, number)
            reached += 1
    return reached


class Child:
    """One process of the site, started again with growing pauses whenever it ends."""

    def __init__(self, name: str, arguments: Sequence[str]) -> None:
        self.name = name
        self.command = [sys.executable, *arguments]
        self.process: subprocess.Popen[bytes] | None = None
        self.failures = 0
        self.start_at = 0.0
        self.started_at = 0.0
        self._rest = b""

    def start(self, environment: Mapping[str, str], leash: Leash) -> None:
        """Start it in a group of its own, where Ctrl-C does not reach it before us."""
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        leash.tie(self.process.pid)

    def lines(self, data: bytes) -> list[str]:
        """The lines that `data`, read from its output, completes; all that is left when it is empty."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if not data and self._rest:
            lines, self._rest = [*lines, self._rest], b""
        return [line.decode(errors="replace").rstrip("\r") for line in lines]

    def count_failure(self, now: float) -> float:
        """Note that it ended; returns the seconds to wait before the next start."""
        steady = now - self.started_at > STEADY_SECONDS
        self.failures = 1 if steady else self.failures + 1
        pause = min(2.0 ** (self.failures - 1), MOST_BACKOFF_SECONDS)
        self.start_at = now + pause
        return pause


class Supervisor:
    """Keeps the processes of the site running and shows what they say."""

    def __init__(self, host: str, port: int, terminal: Terminal, leash: Leash) -> None:
        self.host, self.port = host, port
        self.terminal, self.leash = terminal, leash
        uvicorn = ["-m", "uvicorn", "config.asgi:application", "--host", host, "--port", str(port)]
        self.web = Child("web", [*uvicorn, *WEB_OPTIONS, "--timeout-graceful-shutdown", "3"])
        worker = [*_CELERY, "worker", "-Q", "critical,default,bulk", "-c", "2", *WORKER_OPTIONS]
        beat = [*_CELERY, "beat", "--pidfile="]
        self.children = [self.web, Child("worker", worker), Child("beat", beat)]
        self.selector = selectors.DefaultSelector()
        self.environment: dict[str, str] = {}
        self.is_ready = False

    def run(self) -> None:
        """Start everything and watch over it for ever; ends by KeyboardInterrupt or `SupervisorError`."""
        began = time.monotonic()
        if not os.environ.get("SECRET_KEY"):
            # Servers of one's own don't make a production site yet; secrets of one's own do.
            os.environ.setdefault("FAIRGROUND_EMBEDDED", "1")
        embedded.ensure()
        self.environment = {
            **os.environ,
            "PORT": str(self.port),
            "PYTHONUNBUFFERED": "1",
            "LOG_FORMAT": os.environ.get("LOG_FORMAT", "text"),
        }
        sign_ins = self._prepare()
        healed_at = time.monotonic()
        while True:
            now = time.monotonic()
            for child in self.children:
                self._tend(child, now)
            self._show_output(0.1)
            if not self.is_ready and self.web.process and answers(self.host, self.port):
                self.is_ready = True
                self._greet(sign_ins, now - began)
            if now - healed_at > HEAL_SECONDS:
                healed_at = now
                self._heal()

    def close(self) -> None:
        """Ask every process to end, kill what does not (at once after a second Ctrl-C), and let the servers go."""
        running = [child.process for child in self.children if child.process]
        with contextlib.suppress(KeyboardInterrupt):
            _signal_each([process.pid for process in running], signal.SIGTERM, os.kill)
            deadline = time.monotonic() + STOP_SECONDS
            while any(process.poll() is None for process in running) and time.monotonic() < deadline:
                with contextlib.suppress(BrokenPipeError):
                    self._show_output(0.05)
        _signal_each([process.pid for process in running], signal.SIGKILL, os.killpg)
        for process in running:
            process.wait()
            self.leash.untie(process.pid)
        with contextlib.suppress(KeyboardInterrupt):
            embedded.leave()

    def _prepare(self) -> str:
        """Run `config.prepare`, whose 100 MB would else stay with us; returns the sign-ins of the demo."""
        with subprocess.Popen(
            [sys.executable, "-m", "config.prepare"],
            cwd=PROJECT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            self.leash.tie(process.pid)
            try:
                output, _ = process.communicate()
            finally:
                process.kill()
            self.leash.untie(process.pid)
        if process.returncode != 0:
            raise SupervisorError("the database could not be prepared; what it says above is the reason.")
        return output.decode(errors="replace")

    def _tend(self, child: Child, now: float) -> None:
        """Start `child` when it is due, and notice when it has ended."""
        if child.process is None:
            if now >= child.start_at:
                child.start(self.environment, self.leash)
                self.selector.register(_output(child), selectors.EVENT_READ, child)
        elif (code := child.process.poll()) is not None:
            self._show_output(0)
            self.leash.untie(child.process.pid)
            # Whatever it left behind in its group must not meet its successor.
            _signal_each([child.process.pid], signal.SIGKILL, os.killpg)
            with contextlib.suppress(KeyError):
                self.selector.unregister(_output(child))
            _output(child).close()
            child.process = None
            pause = child.count_failure(now)
            if child is self.web and not self.is_ready and child.failures >= WEB_FAILURES:
                raise SupervisorError(
                    f"the web process ended {WEB_FAILURES} times; what it says above is the reason."
                )
            self.terminal.say(f"{child.name} ended ({_ending(code)}) and starts again in {pause:.0f} s.")

    def _show_output(self, seconds: float) -> None:
        for key, _ in self.selector.select(seconds):
            child: Child = key.data
            data = os.read(key.fd, 65536)
            for line in child.lines(data):
                self.terminal.line(child.name, line)
            if not data:
                self.selector.unregister(key.fileobj)

    def _heal(self) -> None:
        try:
            if embedded.heal():
                self.terminal.say("an embedded server had died and runs again.")
        except EmbeddedError as error:
            self.terminal.say(str(error))

    def _greet(self, sign_ins: str, seconds: float) -> None:
        address = f"http://{_reachable(self.host)}:{self.port}"
        lines = [f"Fairground runs, {seconds:.1f} s after its start.", ""]
        lines += [f"  Site   {address}/", f"  Admin  {address}/admin/", f"  API    {address}/api/docs/", ""]
        lines += [*sign_ins.splitlines(), *([""] if sign_ins else []), "Ctrl-C stops all of it."]
        for line in lines:
            self.terminal.line("site", line)


def _output(child: Child) -> io.BufferedReader:
    assert child.process is not None
    assert isinstance(child.process.stdout, io.BufferedReader)
    return child.process.stdout


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def _port() -> int:
    text = os.environ.get("PORT") or "8000"
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise SupervisorError(
            f"PORT is {text!r}: set it to a number from 1 to 65535, or leave it out for 8000."
        )
    return int(text)


def wait_for_port(host: str, port: int, seconds: float) -> None:
    """Return when `port` is free, which is at once or within `seconds`; raises `SupervisorError` when it stays taken."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
                return
        except PermissionError:
            raise SupervisorError(
                f"port {port} needs privileges: choose one above 1023 (`make run PORT=8000`)."
            ) from None
        except socket.gaierror:
            raise SupervisorError(
                f"HOST is {host!r}, which is no address: leave it out for 127.0.0.1."
            ) from None
        except OSError as error:
            if time.monotonic() > deadline:
                raise SupervisorError(
                    f"port {port} on {host} can't be used ({(error.strerror or str(error)).lower()}): stop what uses it, or choose "
                    f"another (`make run PORT={port + 1 if port < 65535 else 8000}`)."
                ) from None
            time.sleep(0.1)


def _reachable(host: str) -> str:
    """An address at which a server bound to `host` is reached from here."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{host}]" if ":" in host else host


def answers(host: str, port: int) -> bool:
    """Whether the site answers `/healthz`, in whatever way: which names it answers to is its own affair."""
    link = http.client.HTTPConnection(_reachable(host).strip("[]"), port, timeout=1)
    try:
        link.request("GET", "/healthz")
        link.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    else:
        return True
    finally:
        link.close()


if __name__ == "__main__":
    sys.exit(main())
