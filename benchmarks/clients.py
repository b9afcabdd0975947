"""Several clients at once, each a process with one connection, and what they do a second together."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from threading import BrokenBarrierError

CLIENTS = 4

Client = Callable[[int, int, int, Barrier], None]
"""Called with its index, the number of the round, how many turns to make, and a barrier to wait at twice: when it is
warm, and when it is done."""


def turns_a_second(client: Client, *, number: int, turns: int) -> float:
    """Turns a second of all clients together in round `number`."""
    processes = get_context("spawn")
    barrier = processes.Barrier(CLIENTS + 1)
    clients = [
        processes.Process(target=_run, args=(client, index, number, turns, barrier))
        for index in range(CLIENTS)
    ]
    for process in clients:
        process.start()
    seconds = 0.0
    try:
        barrier.wait()
        began = time.perf_counter()
        barrier.wait()
        seconds = time.perf_counter() - began
    except BrokenBarrierError:
        pass
    for process in clients:
        process.join()
    if not seconds or any(process.exitcode for process in clients):
        raise SystemExit("a client failed: see above")
    return CLIENTS * turns / seconds


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
