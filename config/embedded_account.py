"""The system account the embedded servers run as, and what it has to be able to read.

PostgreSQL refuses to run as root. In a container or on a bare machine everything is often root's, so
there the servers become a user without privileges; who runs the site as himself needs none of this.
"""

import contextlib
import importlib.util
import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ACCOUNT = "fairground-pg"


class EmbeddedError(Exception):
    """The embedded servers can't be used; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Account:
    """The system account the servers run as; `switch` when we are root and have to become it."""

    name: str
    uid: int
    gid: int
    switch: bool

    def run(
        self, command: Sequence[object], *, cwd: Path, text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run `command`, strings and paths, as this account in a session of its own, out of reach of the terminal's Ctrl-C."""
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
        return subprocess.run(
            [str(part) for part in command],
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=cwd,
            env=environment,
            umask=0o077,
            start_new_session=True,
            check=False,
            user=self.uid if self.switch else None,
            group=self.gid if self.switch else None,
            extra_groups=[] if self.switch else None,
        )

    def give(self, path: Path, mode: int) -> None:
        """Hand `path` to this account with `mode`."""
        if self.switch:
            os.chown(path, self.uid, self.gid)
        path.chmod(mode)

    def may_pass(self, folder: Path) -> bool:
        """Whether this account may search `folder`."""
        status = folder.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def choose_account(folder: Path) -> Account:
    """The account for the servers of `folder`: ourselves, or for root a user without privileges.

    PostgreSQL refuses to run as root. An account that already owns the folder is kept; otherwise it is
    a system user of our own, made once, and where none can be made `postgres` or `nobody`.
    """
    if os.geteuid() != 0:
        try:
            us = pwd.getpwuid(os.geteuid())
        except KeyError:
            raise EmbeddedError(
                f"User id {os.geteuid()} has no name in /etc/passwd, and PostgreSQL refuses to run without one: "
                "add a line for it, or set DATABASE_URL and REDIS_URL to servers of your own."
            ) from None
        return Account(us.pw_name, us.pw_uid, us.pw_gid, switch=False)
    for owned in (folder / "postgresql", folder):
        with contextlib.suppress(OSError, KeyError):
            owner = pwd.getpwuid(owned.stat().st_uid)
            if owner.pw_uid != 0:
                return Account(owner.pw_name, owner.pw_uid, owner.pw_gid, switch=True)
    for make_it, name in ((True, ACCOUNT), (False, "postgres"), (False, "nobody")):
        if make_it:
            _make_account()
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, switch=True)
    raise EmbeddedError(
        f"PostgreSQL refuses to run as root and no system user {ACCOUNT} could be made: "
        "run as an ordinary user, or set DATABASE_URL and REDIS_URL to servers of your own."
    )


def _make_account() -> None:
    with contextlib.suppress(KeyError):
        pwd.getpwnam(ACCOUNT)
        return
    useradd = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    for command in ([*useradd, "--shell", "/bin/false", ACCOUNT], ["adduser", "-S", "-D", "-H", ACCOUNT]):
        with contextlib.suppress(OSError):
            # Another process may be making it at the same moment, so whether it exists is looked up afterwards.
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                say(f"made the system user {ACCOUNT}, because PostgreSQL refuses to run as root")
                return


def say(line: str) -> None:
    """One plain line on standard error."""
    sys.stderr.write(f"Fairground: {line}\n")
    sys.stderr.flush()


def open_the_way(account: Account, *places: Path) -> None:
    """Let `account` pass through every folder above and at `places`: adds the search bit only, and says so."""
    if not account.switch:
        return
    folders = {folder for place in places for folder in (place, *place.parents)}
    opened = []
    for folder in sorted(folders):
        if not account.may_pass(folder):
            try:
                folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IXOTH | stat.S_IXGRP)
            except OSError as error:
                raise EmbeddedError(
                    f"PostgreSQL runs as {account.name}, which may not pass through {folder} "
                    f"({error.strerror}): run `chmod o+x {folder}`, or set FAIRGROUND_DATA to another folder."
                ) from error
            opened.append(str(folder))
    if opened:
        say(f"let {account.name}, whom the servers run as, pass through (chmod o+x): {', '.join(opened)}")


def wheel_folder(package: str, *inside: str) -> Path:
    """The folder `inside` an installed binary package, found without importing the package."""
    spec = importlib.util.find_spec(package)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place, *inside)
        if folder.is_dir():
            return folder.resolve()
    raise EmbeddedError(
        f"The package {package} with the embedded server for this machine is missing: "
        "run `pip install -r requirements.txt`, or set DATABASE_URL and REDIS_URL to servers of your own."
    )


def make_readable(account: Account, package: Path, program: Path) -> None:
    """Where root installed the package under a strict umask, let the servers' account read and run it."""
    needed = stat.S_IROTH | stat.S_IXOTH
    if not account.switch or program.stat().st_mode & needed == needed:
        return
    for path in (package, *package.rglob("*"), *package.parent.glob(f"{package.name}.libs/*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if not path.is_symlink():
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))
    say(f"let {account.name}, whom the servers run as, read {package}")
