"""Several clients at once, each a process with one connection: what they do a second together, and what a turn costs.

How much they do in a second depends on who else uses the machine and on its disk; how long the processors work for a
turn, in the clients and in their server processes, hardly does.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from threading import BrokenBarrierError

import psutil
import psycopg

CLIENTS = 4

Client = Callable[[int, int, int, Barrier], None]
"""Called with its index, the number of the round, how many turns to make, and a barrier to wait at three times: when it
is warm, when it is done, and until it may leave."""


@dataclass(frozen=True)
class Round:
    """What all clients did together: turns a second, and microseconds of processor time for each."""

    a_second: float
    cost: float


def run_round(client: Client, *, number: int, turns: int) -> Round:
    """Round `number`: every client makes `turns` turns."""
    processes = get_context("spawn")
    barrier = processes.Barrier(CLIENTS + 1)
    clients = [
        processes.Process(target=_run, args=(client, index, number, turns, barrier))
        for index in range(CLIENTS)
    ]
    for process in clients:
        process.start()
    seconds = worked = 0.0
    try:
        barrier.wait()
        began = time.perf_counter()
        before = _processor_seconds(clients)
        barrier.wait()
        seconds = time.perf_counter() - began
        worked = _processor_seconds(clients) - before
        barrier.wait()
    except BrokenBarrierError:
        pass
    for process in clients:
        process.join()
    if not seconds or any(process.exitcode for process in clients):
        raise SystemExit("a client failed: see above")
    return Round(a_second=CLIENTS * turns / seconds, cost=1e6 * worked / (CLIENTS * turns))


def _processor_seconds(clients: Sequence[BaseProcess]) -> float:
    """What the clients and their server processes have used so far; the latter count where they are on this machine."""
    with closing(psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname LIKE 'bench\\_%' AND pid <> pg_backend_pid()"
        ).fetchall()
    total = 0.0
    for pid in [client.pid for client in clients] + [pid for (pid,) in rows]:
        with suppress(psutil.NoSuchProcess):
            used = psutil.Process(pid).cpu_times()
            total += used.user + used.system
    return total


@contextmanager
def not_waiting_for_the_disk() -> Iterator[None]:
    """Clients that begin within the block are answered before their commits are on disk: what is compared is work."""
    os.environ["PGOPTIONS"] = "-c synchronous_commit=off"
    try:
        yield
    finally:
        del os.environ["PGOPTIONS"]


def _run(client: Client, index: int, number: int, turns: int, barrier: Barrier) -> None:
    try:
        client(index, number, turns, barrier)
    except BaseException:
        barrier.abort()  # or the others wait for ever
        raise
