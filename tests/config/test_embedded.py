"""The embedded servers: started once however many ask, gone with the last process however it ends."""

import os
import shutil
import signal
import socket
import subprocess
import sys

import psutil
import psycopg
import pytest
import redis

from config.embedded_processes import processes_in
from config.embedded_servers import PostgreSQL, Valkey
from tests.config.holders import (
    HOLD,
    environment,
    guardians,
    hold,
    kill,
    query,
    run,
    start_and_stop,
    urls,
    wait_for_the_end,
)
from tests.live import wait_until

# --- one pair of servers


@pytest.mark.parametrize("n", [2, 8])
def test_processes_that_start_at_the_same_moment_share_one_pair_of_servers(data, n):
    holders = [hold(data) for _ in range(n)]
    addresses = {tuple(urls(holder)) for holder in holders}
    assert len(addresses) == 1
    [(database, broker)] = addresses
    assert query(database, "SELECT current_user, current_database()") == [("fairground", "fairground")]
    assert redis.Redis.from_url(broker).ping()
    masters = [process for process in processes_in(data / "postgresql") if "-D" in process.cmdline()]
    assert len(masters) == 1
    assert len(processes_in(data / "valkey")) == 1
    assert len(guardians(data)) == 1
    kill(*holders)
    wait_for_the_end(data)


def test_processes_that_come_and_go_never_meet_a_dead_server(data, soak_rounds):
    script = (
        "import os, psycopg; from config import embedded; embedded.ensure();"
        "psycopg.connect(os.environ['DATABASE_URL']).execute('SELECT 1')"
    )
    for _ in range(soak_rounds(3, 60)):
        runs = [
            subprocess.Popen(
                [sys.executable, "-c", script], env=environment(data), stderr=subprocess.PIPE, text=True
            )
            for _ in range(4)
        ]
        assert [(each.communicate()[1], each.returncode)[1] for each in runs] == [0] * 4
    wait_for_the_end(data)


def test_a_child_process_holds_the_servers_after_its_parent_has_gone(data):
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys\nfrom config import embedded\nembedded.ensure()\n"
            f"print(subprocess.Popen([sys.executable, '-c', {HOLD!r}]).pid, flush=True)\nsys.stdin.read()",
        ],
        env=environment(data),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    child = psutil.Process(int(parent.stdout.readline()))
    database, _ = parent.stdout.readline().split()
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert guardians(data)
    assert query(database, "SELECT 1") == [(1,)]
    child.kill()
    parent.communicate()
    wait_for_the_end(data)


def test_nothing_is_started_when_both_addresses_are_given(data):
    given = {"DATABASE_URL": "postgres://db.example/site", "REDIS_URL": "redis://redis.example/0"}
    holder = hold(data, **given)
    assert urls(holder) == list(given.values())
    assert not data.exists()
    kill(holder)


def test_only_the_missing_server_is_started(data):
    holder = hold(data, REDIS_URL="redis://redis.example/0")
    database, broker = urls(holder)
    assert broker == "redis://redis.example/0"
    assert query(database, "SELECT 1") == [(1,)]
    assert not (data / "valkey").exists()
    kill(holder)


# --- ends of all kinds


def test_the_servers_stop_by_themselves_when_every_process_is_killed(data):
    holders = [hold(data) for _ in range(3)]
    for holder in holders:
        urls(holder)
    kill(*holders)
    wait_for_the_end(data)
    assert not (data / "postgresql" / "postmaster.pid").exists(), "PostgreSQL was not stopped in good order"


def test_servers_run_on_while_one_process_is_left(data):
    first, second = hold(data), hold(data)
    database, _ = urls(first)
    urls(second)
    pid = PostgreSQL(data).pid()
    kill(first)
    assert query(database, "SELECT 1") == [(1,)]
    third = hold(data)
    urls(third)
    assert PostgreSQL(data).pid() == pid
    kill(second, third)


def test_servers_that_outlived_everybody_and_their_guardian_are_used_again_and_stopped_in_the_end(data):
    first = hold(data)
    before = urls(first)
    pids = PostgreSQL(data).pid(), Valkey(data).pid()
    [guardian] = guardians(data)
    guardian.kill()
    kill(first)
    wait_until(lambda: not guardians(data), "the end of the guardian", 10)
    assert (PostgreSQL(data).pid(), Valkey(data).pid()) == pids
    second = hold(data)
    assert urls(second) == before
    assert (PostgreSQL(data).pid(), Valkey(data).pid()) == pids
    kill(second)
    wait_for_the_end(data)


def test_a_killed_guardian_is_replaced_by_the_next_process(data):
    first = hold(data)
    urls(first)
    guardians(data)[0].kill()
    second = hold(data)
    urls(second)
    assert len(guardians(data)) == 1
    kill(first, second)
    wait_for_the_end(data)


def test_what_was_committed_is_there_after_everything_was_killed(data, soak_rounds):
    for round_ in range(soak_rounds(1, 20)):
        holder = hold(data)
        database, _ = urls(holder)
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept (round int)")
            connection.execute("INSERT INTO kept VALUES (%s)", [round_])
        victims = [*guardians(data), *processes_in(data / "postgresql"), *processes_in(data / "valkey")]
        for victim in victims:
            victim.kill()
        kill(holder)
        again = hold(data)
        database, broker = urls(again)
        assert query(database, "SELECT count(*) FROM kept") == [(round_ + 1,)]
        assert redis.Redis.from_url(broker).ping()
        kill(again)
    wait_for_the_end(data)


def test_lock_files_whose_number_a_stranger_has_now_do_not_keep_it_from_starting(data):
    start_and_stop(data)
    strangers_pid = os.getpid()
    (data / "run" / ".s.PGSQL.5432.lock").write_text(
        f"{strangers_pid}\n{data}/postgresql\n0\n5432\n{data}/run\n"
    )
    (data / "postgresql" / "postmaster.pid").write_text(
        f"{strangers_pid}\n{data}/postgresql\n0\n5432\n{data}/run\n\n\nready\n"
    )
    (data / "valkey" / "valkey.pid").write_text(f"{strangers_pid}\n")
    holder = hold(data)
    database, broker = urls(holder)
    assert query(database, "SELECT 1") == [(1,)]
    assert redis.Redis.from_url(broker).ping()
    kill(holder)


def test_an_interrupted_first_start_leaves_no_half_database(data):
    (data / "postgresql.new" / "base").mkdir(parents=True)
    holder = hold(data)
    assert query(urls(holder)[0], "SELECT 1") == [(1,)]
    assert not (data / "postgresql.new").exists()
    kill(holder)


def test_healing_starts_what_has_died_under_the_same_addresses(data):
    script = """
import os, psutil
from pathlib import Path
from config import embedded
from config.embedded_servers import processes_in
embedded.ensure()
before = os.environ["DATABASE_URL"], os.environ["REDIS_URL"]
assert embedded.heal() is False
killed = [
    process
    for name in ("postgresql", "valkey")
    for process in processes_in(Path(os.environ["FAIRGROUND_DATA"], name))
]
for process in killed:
    process.kill()
psutil.wait_procs(killed)  # a signal takes its time: who is still dying counts as alive
assert embedded.heal() is True
assert (os.environ["DATABASE_URL"], os.environ["REDIS_URL"]) == before
import psycopg, redis
psycopg.connect(before[0]).execute("SELECT 1")
assert redis.Redis.from_url(before[1]).ping()
"""
    done = run(data, script)
    assert done.returncode == 0, done.stderr
    wait_for_the_end(data)


def test_healing_makes_everything_anew_where_the_folder_was_removed(data):
    script = """
import os, shutil, psycopg, time
from config import embedded
from config.embedded_servers import PostgreSQL, Valkey
embedded.ensure()
folder = embedded.data_folder()
for server in (PostgreSQL(folder), Valkey(folder)):
    server.stop()
shutil.rmtree(folder)
assert embedded.heal() is True
time.sleep(1)  # a guardian that thinks itself alone would stop them now
assert embedded.in_use(folder)
psycopg.connect(os.environ["DATABASE_URL"]).execute("SELECT 1")
"""
    done = run(data, script)
    assert done.returncode == 0, done.stderr
    wait_for_the_end(data)


def test_valkey_takes_another_port_when_someone_has_taken_its_own(data):
    _, before = start_and_stop(data)
    port = int(before.rpartition(":")[2].removesuffix("/0"))
    with socket.socket() as taker:
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taker.bind(("127.0.0.1", port))
        taker.listen()
        holder = hold(data)
        _, after = urls(holder)
        assert after != before
        assert redis.Redis.from_url(after).ping()
        kill(holder)


def test_servers_end_although_their_folder_was_removed_under_the_running_site(data):
    holder = hold(data)
    urls(holder)
    everything = [*processes_in(data / "postgresql"), *processes_in(data / "valkey"), *guardians(data)]
    shutil.rmtree(data)
    kill(holder)
    wait_until(lambda: not any(process.is_running() for process in everything), "the end of the servers", 30)
