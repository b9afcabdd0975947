"""The zero-setup servers: PostgreSQL and Valkey for a site that was given neither, and their lifetime.

Entry points (manage.py, wsgi, asgi, celery, supervisor, the tests' plugin) call `ensure()` before
Django is set up. Where `DATABASE_URL` or `REDIS_URL` is unset it starts that server in the data
folder, or joins the one already running there, and sets the variable. With both set it starts nothing.

Lifetime is held by locks that the kernel drops with the process, so it survives any `kill -9`:

* `lock`: every process of the site holds it shared, for as long as it lives.
* `startup.lock`: held exclusively while servers are started or stopped.
* `guardian.lock`: held by the guardian, a tiny process in a session of its own that waits until
  nobody holds `lock` any more, and then stops both servers. Should it be killed, the next
  `ensure()` puts a new one in its place.

Nobody waits for `startup.lock` while holding `lock` exclusively, so the three can't deadlock. The
servers hold none of them: Python passes no descriptor on unless told to.

`python -m config.embedded` with `--status`, `--stop` or `[--durable] --with-temporary COMMAND` is for people.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

try:
    import fcntl

    from config.embedded_account import EmbeddedError, choose_account
    from config.embedded_processes import processes_in_removed
    from config.embedded_servers import PostgreSQL, Valkey, is_ephemeral
except ImportError as missing:  # reported by ensure(), and only if it is needed
    MISSING: ImportError | None = missing
else:
    MISSING = None

PROJECT = Path(__file__).resolve().parent.parent
# The folder of the servers, for child processes: these find both addresses set, and hold the lock all the same.
FOLDER_VARIABLE = "FAIRGROUND_EMBEDDED_DATA"

_held: dict[Path, int] = {}
_started: set[str] = set()  # the variables this process set


def ensure() -> None:
    """Give this process a database and a Redis, starting or joining the embedded ones where none are set.

    Sets `DATABASE_URL`, `REDIS_URL`, `FAIRGROUND_EMBEDDED` and an absolute `FAIRGROUND_DATA` in
    the environment. What prevents it ends the process with one sentence that says what to do.
    """
    variables = [name for name in ("DATABASE_URL", "REDIS_URL") if not os.environ.get(name)]
    inherited = os.environ.get(FOLDER_VARIABLE)
    if not variables and not inherited:
        return
    if MISSING is not None:
        sys.exit(
            f"Fairground: the embedded servers can't be used ({MISSING}): run `pip install -r requirements.txt` on "
            "Linux or macOS, or set DATABASE_URL and REDIS_URL to servers of your own."
        )
    try:
        if not variables:
            hold(Path(inherited or ""))
            return
        folder = data_folder()
        os.environ.update(start(folder, variables))
        _started.update(variables)
        os.environ.update(
            {"FAIRGROUND_EMBEDDED": "1", "FAIRGROUND_DATA": str(folder), FOLDER_VARIABLE: str(folder)}
        )
    except EmbeddedError as error:
        sys.exit(f"Fairground: {error}")


def data_folder() -> Path:
    """The folder `FAIRGROUND_DATA` names, or `.data` in the project: absolute, links resolved."""
    return Path(os.environ.get("FAIRGROUND_DATA") or PROJECT / ".data").expanduser().resolve()


def start(folder: Path, variables: Iterable[str], *, ephemeral: bool = False) -> dict[str, str]:
    """Start or join the servers of `folder` for this process; returns `variables` with their values.

    An `ephemeral` folder is removed with everything in it after the last process, and its database
    trades durability for speed. Safe to call again: what has died meanwhile is started anew.

    Raises `EmbeddedError`.
    """
    instead = "set FAIRGROUND_DATA to another folder"
    try:
        _make_folder(folder, ephemeral=ephemeral, instead=instead)
        with _locked(folder / "startup.lock"):
            hold(folder)
            _post_guardian(folder)
            account = choose_account(folder)
            values = {}
            for server in _servers(folder):
                if server.variable in variables:
                    server.start(account)
                    values[server.variable] = server.url()
            return values
    except OSError as error:
        raise EmbeddedError(
            f"The data folder {folder} can't be used ({error}): mend that, or {instead}."
        ) from error


def heal() -> bool:
    """Start again whichever of the servers that `ensure()` gave this process has died; whether one had.

    Raises `EmbeddedError`.
    """
    dead = [
        server.variable
        for server in _servers(data_folder())
        if server.variable in _started and not server.pid()
    ]
    if dead:
        os.environ.update(start(data_folder(), dead))
    return bool(dead)


def hold(folder: Path) -> None:
    """Keep the servers of `folder` running for as long as this process, or a fork of it, lives.

    Raises `EmbeddedError`.
    """
    descriptor = _held.get(folder)
    if descriptor is not None:
        if _is_same_file(descriptor, folder / "lock"):
            return
        os.close(descriptor)  # somebody removed the folder under the running site, and it was made anew
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = _open(folder / "lock")
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    _held[folder] = descriptor


def leave(folder: Path | None = None, seconds: float = 20) -> None:
    """Let go of the servers of `folder` (default: those of `ensure()`), and wait until they have stopped.

    Waits for nothing when another process still uses them.
    """
    folder = folder or Path(os.environ.get(FOLDER_VARIABLE, ""))
    descriptor = _held.pop(folder, None)
    if descriptor is None:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # succeeds for the last one
    except BlockingIOError:
        return
    finally:
        os.close(descriptor)
    deadline = time.monotonic() + seconds
    while folder.exists() and time.monotonic() < deadline:  # an ephemeral folder goes with its servers
        with contextlib.suppress(FileNotFoundError), _tried(folder / "guardian.lock") as guardian_is_gone:
            if guardian_is_gone:
                return
        time.sleep(0.02)


def in_use(folder: Path) -> bool:
    """Whether any process of the site holds the servers of `folder`, this one included."""
    if not (folder / "lock").exists():
        return False
    with _tried(folder / "lock") as alone:
        return not alone


def _servers(folder: Path) -> "tuple[PostgreSQL, Valkey]":
    return PostgreSQL(folder), Valkey(folder)


def _make_folder(folder: Path, *, ephemeral: bool, instead: str) -> None:
    """Make the data folder, or refuse it in one sentence."""
    try:
        is_new = not folder.exists()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise EmbeddedError(f"The data folder {folder} is a file: move it away, or {instead}.") from None
    except NotADirectoryError:
        raise EmbeddedError(f"A folder above the data folder {folder} is a file: {instead}.") from None
    except OSError as error:
        raise EmbeddedError(
            f"The data folder {folder} can't be made ({error.strerror}): {instead}."
        ) from error
    us = os.geteuid()
    if us == 0 and (is_new or ephemeral):
        folder.chmod(0o711)  # the servers' account passes through, and sees nothing
    for path in (folder, *folder.glob("*.lock"), *folder.glob("*.password"), folder / "postgresql"):
        with contextlib.suppress(FileNotFoundError):
            if us not in (0, owner := path.stat().st_uid):
                raise EmbeddedError(
                    f"{path} belongs to user id {owner} and you are {us}: run as that user, or {instead}."
                )
    if ephemeral:
        (folder / "ephemeral").touch()
    if not os.access(folder, os.W_OK | os.X_OK):
        raise EmbeddedError(
            f"The data folder {folder} can't be written: run `chmod u+rwx {folder}`, or {instead}."
        )


def _open(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if os.geteuid() == 0:  # so that the folder's owner can use it without root afterwards
        os.fchown(descriptor, path.parent.stat().st_uid, path.parent.stat().st_gid)
    return descriptor


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold `path` exclusively."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _tried(path: Path) -> Iterator[bool]:
    """Hold `path`, which exists, exclusively if nobody else holds it at all; yields whether that is so."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)


def _post_guardian(folder: Path) -> None:
    """Put a guardian in place unless there is one. The caller holds `startup.lock`.

    The guardian inherits `guardian.lock` already locked, so there is no moment with none or two. A
    shell between us makes it nobody's child: no zombie, nothing to wait for.
    """
    descriptor = _open(folder / "guardian.lock")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with (folder / "guardian.log").open("w") as log:
            subprocess.run(
                [
                    "/bin/sh",
                    "-c",
                    '"$@" &',
                    "sh",
                    sys.executable,
                    "-m",
                    __spec__.name,
                    "--guard",
                    str(descriptor),
                ],
                pass_fds=[descriptor],
                cwd=PROJECT,
                env={**os.environ, "PYTHONPATH": str(PROJECT), "FAIRGROUND_DATA": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                check=True,
            )
    except BlockingIOError:
        return  # somebody has it
    finally:
        os.close(descriptor)


def _guard(folder: Path, guardian_lock: int) -> None:
    """Wait until nobody holds the servers of `folder`, stop them, and let `guardian_lock` go.

    Signals don't end it: its end is certain, as soon as the last process of the site is gone.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    # Opened once, so that both stay what they were if somebody removes the folder under the running site.
    lock, startup = _open(folder / "lock"), _open(folder / "startup.lock")
    while True:
        fcntl.flock(lock, fcntl.LOCK_EX)  # returns when everybody has gone, or so it looks
        fcntl.flock(lock, fcntl.LOCK_UN)
        fcntl.flock(startup, fcntl.LOCK_EX)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break  # still so, and whoever comes now waits for startup.lock
        fcntl.flock(startup, fcntl.LOCK_UN)
    if _is_same_file(lock, folder / "lock"):
        for server in _servers(folder):
            server.stop()
        if is_ephemeral(folder):
            shutil.rmtree(folder, ignore_errors=True)
    else:
        for server in _servers(folder):
            for process in processes_in_removed(server.data):
                process.kill()
    os.close(guardian_lock)  # before startup.lock, which goes with the process


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _status(folder: Path) -> int:
    """Print what runs; 0 when both servers do, 3 otherwise (as service managers have it)."""
    pids = {server: server.pid() for server in _servers(folder)}
    for server, pid in pids.items():
        print(f"{server.name:11} {f'runs, process {pid}, log {server.log}' if pid else 'is stopped'}")
    print(f"{'Data folder':11} {folder}{', in use by the site' if in_use(folder) else ''}")
    return 0 if all(pids.values()) else 3


def _stop(folder: Path, *, force: bool) -> int:
    """Stop both servers unless the site uses them; 1 if it does."""
    if not folder.is_dir():
        return 0
    with _locked(folder / "startup.lock"):
        if in_use(folder) and not force:
            print(
                "Fairground: the site still uses the servers: stop it (Ctrl-C in `make run`), or add --force."
            )
            return 1
        for server in _servers(folder):
            server.stop()
    return 0


def _with_temporary(command: list[str], *, durable: bool) -> int:
    """Run `command` with servers of its own, which go with it; returns its exit code."""
    folder = Path(tempfile.mkdtemp(prefix="fairground-")).resolve()
    if durable:
        (folder / "durable").touch()
    values = start(folder, ("DATABASE_URL", "REDIS_URL"), ephemeral=True)
    values |= {"FAIRGROUND_EMBEDDED": "1", "FAIRGROUND_DATA": str(folder), FOLDER_VARIABLE: str(folder)}
    try:
        return subprocess.run(command, env={**os.environ, **values}, check=False).returncode
    finally:
        leave(folder)


def main() -> int:
    """Command line for people, and the guardian's entry; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m config.embedded", description="The embedded servers.")
    verb = parser.add_mutually_exclusive_group(required=True)
    verb.add_argument("--status", action="store_true", help="say whether they run (exit code 0: both do)")
    verb.add_argument("--stop", action="store_true", help="stop them if no process of the site uses them")
    help_temporary = (
        "run a command with empty servers of its own, in a folder in the temp dir that goes with them"
    )
    verb.add_argument("--with-temporary", nargs=argparse.REMAINDER, metavar="COMMAND", help=help_temporary)
    verb.add_argument("--guard", type=int, metavar="FD", help=argparse.SUPPRESS)
    help_durable = (
        "before --with-temporary: commits reach the disk, as on a real site, so that they cost what they do"
    )
    parser.add_argument("--durable", action="store_true", help=help_durable)
    parser.add_argument("--force", action="store_true", help="with --stop: even if they are used")
    options = parser.parse_args()
    if options.guard is not None:
        _guard(data_folder(), options.guard)
        return 0
    try:
        if options.with_temporary:
            return _with_temporary(options.with_temporary, durable=options.durable)
        return _status(data_folder()) if options.status else _stop(data_folder(), force=options.force)
    except (EmbeddedError, OSError) as error:
        print(f"Fairground: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
