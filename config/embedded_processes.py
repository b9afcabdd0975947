"""Which processes are a server's: those that work in its folder, which neither a pid file nor a reused number shows.

PostgreSQL and Valkey make their data folder their working directory, and so do all their children.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil  # type: ignore[import-untyped]


def processes_in(folder: Path) -> list[psutil.Process]:
    """Every living process whose working directory is `folder`."""
    return [process for process in psutil.process_iter() if _works_in(process, folder)]


def processes_in_removed(folder: Path) -> list[psutil.Process]:
    """Every living process whose working directory was `folder`, before that was removed and perhaps made anew."""
    return [process for process in psutil.process_iter() if _works_in(process, folder, removed=True)]


def _works_in(process: psutil.Process, folder: Path, *, removed: bool = False) -> bool:
    try:
        if process.cwd() != str(folder) or process.status() == psutil.STATUS_ZOMBIE:
            return False
        if sys.platform != "linux":
            return not removed
        # psutil names a removed folder as if it were there; the kernel knows which it is.
        is_there = folder.exists() and Path(f"/proc/{process.pid}/cwd").samefile(folder)
        return is_there is not removed
    except (psutil.Error, OSError):
        return False


def pid_in(path: Path, folder: Path) -> int | None:
    """The process id in the first line of `path`, if that process lives and works in `folder`."""
    try:
        pid = int(path.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return pid if _is_at_work(pid, folder) else None


def _is_at_work(pid: int | None, folder: Path) -> bool:
    try:
        return _works_in(psutil.Process(pid), folder)
    except psutil.Error:
        return False


def waited(seconds: float) -> Iterator[None]:
    """Yield about every 20 ms until `seconds` are over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.02)


def stop_all(folder: Path, pid: int | None, steps: Sequence[tuple[signal.Signals, float]]) -> None:
    """Send `pid` one signal after another until nothing works in `folder`; at last kill whatever does."""
    for number, seconds in steps if pid else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid or 0, number)
        for _ in waited(seconds):
            if not _is_at_work(pid, folder):
                break
        if not processes_in(folder):
            return
    for process in processes_in(folder):
        with contextlib.suppress(psutil.Error):
            process.kill()
    for _ in waited(10):
        if not processes_in(folder):
            return
