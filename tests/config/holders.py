"""Processes that hold the embedded servers of a data folder, and what is left when they have gone."""

import os
import subprocess
import sys

import psutil
import psycopg

from config.embedded_processes import processes_in
from tests.live import PROJECT, wait_until

BOTH = ("DATABASE_URL", "REDIS_URL")
HOLD = """
import os, sys
from config import embedded
embedded.ensure()
print(os.environ["DATABASE_URL"], os.environ["REDIS_URL"], flush=True)
sys.stdin.read()
"""


def environment(folder, **more):
    ours = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("FAIRGROUND_") and key not in BOTH
    }
    return ours | {"FAIRGROUND_DATA": str(folder), "PYTHONPATH": str(PROJECT)} | more


def hold(folder, **more):
    """A process of the site: it uses the servers until its standard input ends, or it is killed."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLD],
        env=environment(folder, **more),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def urls(process):
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return line.split()


def kill(*processes):
    for process in processes:
        process.kill()
    for process in processes:
        process.communicate()


def run(folder, script="from config import embedded; embedded.ensure()", **more):
    return subprocess.run(
        [sys.executable, "-c", script],
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        check=False,
    )


def command(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "config.embedded", *arguments],
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )


def guardians(folder):
    found = []
    for process in psutil.process_iter():
        try:
            if "--guard" in process.cmdline() and process.environ().get("FAIRGROUND_DATA") == str(folder):
                found.append(process)
        except psutil.Error:
            continue
    return found


def is_down(folder):
    return not processes_in(folder / "postgresql") and not processes_in(folder / "valkey")


def wait_for_the_end(folder):
    wait_until(lambda: is_down(folder) and not guardians(folder), "the end of servers and guardian", 30)


def query(url, sql):
    with psycopg.connect(url) as connection:
        return connection.execute(sql).fetchall()


def one_sentence(done):
    """The only line of standard error, apart from what root is told about folders it opened."""
    lines = [line for line in done.stderr.splitlines() if "chmod o+x" not in line]
    assert done.returncode == 1, done.stderr
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("Fairground: ")
    return lines[0]


def start_and_stop(data):
    """Start once, and stop; returns the two addresses."""
    holder = hold(data)
    addresses = urls(holder)
    kill(holder)
    wait_for_the_end(data)
    return addresses
