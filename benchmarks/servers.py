"""A web server to measure: granian as the Procfile runs it, on a free port, its log in a file and not in the figures."""

import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WORKERS, THREADS = 2, 10


@contextmanager
def serving(application: str, environment: dict[str, str], folder: Path | None = None) -> Iterator[int]:
    """A granian on a free port; yields the port. It writes its lines, as on a real site, to a file that goes after it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    granian = shutil.which("granian", path=str(Path(sys.executable).parent))
    command = [str(granian), "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--log-level", "error", "--workers", str(WORKERS), "--blocking-threads", str(THREADS)]
    command += ["--backpressure", "128", application]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, start_new_session=True, stdout=log, stderr=log
        )
        try:
            for _ in range(600):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                if process.poll() is not None:
                    log.seek(0)
                    raise SystemExit(f"{application} did not start:\n{log.read()[-4_000:].decode()}")
                time.sleep(0.1)
            yield port
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def p95(values: list[float]) -> float:
    """The value that 95 of 100 do not exceed."""
    return statistics.quantiles(values, n=100)[94]
