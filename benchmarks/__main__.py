"""`make bench`: every benchmark beside its peer, one after the other, each in a process of its own.

`python -m benchmarks NAME …` runs only those named (`ledger`, `outbox`, …). Ends with one table of all figures. The
exit status says whether all of them ran, not whether they were fast: how fast a busy machine is proves nothing.
"""

import datetime as dt
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg

from benchmarks import figures
from config import embedded

HERE = Path(__file__).parent


def main() -> int:
    """Run the chosen benchmarks; returns how many failed."""
    known = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    chosen = sys.argv[1:] or known
    if unknown := sorted(set(chosen) - set(known)):
        print(f"There is no benchmark called {', '.join(unknown)}. There are: {', '.join(known)}.")
        return 1
    embedded.ensure()
    where = _where()
    print(where)
    failed = []
    with tempfile.NamedTemporaryFile(prefix="figures-") as file:
        environment = {**os.environ, figures.FILE_VARIABLE: file.name}
        for name in chosen:
            print(f"\n== {name}", flush=True)
            command = [sys.executable, "-m", f"benchmarks.bench_{name}"]
            if subprocess.run(command, env=environment, check=False).returncode:
                failed.append(name)
        print(f"\n== all\n{where}\n{figures.table(figures.kept(Path(file.name)))}")
    if failed:
        print(f"These did not run to their end: {', '.join(failed)}.")
    return len(failed)


def _where() -> str:
    """When and on what this runs."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        settings = {
            name: connection.execute("SELECT current_setting(%s)", [name]).fetchone()[0]
            for name in ("server_version", "fsync", "synchronous_commit")
        }
    is_durable = settings["fsync"] == "on" and settings["synchronous_commit"] == "on"
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    return (
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC · {os.cpu_count()} cores · Python {platform.python_version()} · "
        f"PostgreSQL {settings['server_version']}, commits {'durable' if is_durable else 'NOT durable'} · "
        f"load over 1, 5 and 15 minutes: {load}"
    )


if __name__ == "__main__":
    sys.exit(main())
