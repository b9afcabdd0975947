"""The embedded servers: started once however many ask, gone with the last process however it ends."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil
import psycopg
import pytest
import redis

from config import embedded, embedded_servers
from config.embedded_account import (
    Account,
    EmbeddedError,
    choose_account,
    make_readable,
    open_the_way,
    wheel_folder,
)
from config.embedded_processes import processes_in
from config.embedded_servers import PostgreSQL, Valkey, kept_password
from tests.live import PROJECT, wait_until

BOTH = ("DATABASE_URL", "REDIS_URL")
HOLD = """
import os, sys
from config import embedded
embedded.ensure()
print(os.environ["DATABASE_URL"], os.environ["REDIS_URL"], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def data():
    """A data folder, not made yet, straight in the temp dir: root's servers have to pass through what is above."""
    above = Path(tempfile.mkdtemp(prefix="fairground-test-")).resolve()
    folder = above / "data"
    yield folder
    for server in (PostgreSQL(folder), Valkey(folder)):
        server.stop()
    wait_until(lambda: not guardians(folder), "the end of the guardian", 20)
    shutil.rmtree(above)


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


def start_and_stop(data):
    """Start once, and stop; returns the two addresses."""
    holder = hold(data)
    addresses = urls(holder)
    kill(holder)
    wait_for_the_end(data)
    return addresses


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
for name in ("postgresql", "valkey"):
    for process in processes_in(Path(os.environ["FAIRGROUND_DATA"], name)):
        process.kill()
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


# --- who may do what


def test_the_site_connects_as_a_role_of_its_own_with_few_rights(data):
    holder = hold(data)
    database, broker = urls(holder)
    rights = "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles"
    assert query(database, f"{rights} WHERE rolname = current_user") == [(False, True, False, False, False)]
    owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
    assert query(database, owner) == [("fairground",)]
    password = database.partition(":")[2].rpartition(":")[2].partition("@")[0]
    for wrong in (database.replace(password, "wrong"), database.replace("://fairground:", "://postgres:")):
        with pytest.raises(psycopg.OperationalError):
            query(wrong, "SELECT 1")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(broker.replace(broker.partition("@")[0], "redis://:wrong")).ping()
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url("redis://" + broker.partition("@")[2]).ping()
    kill(holder)


def test_passwords_and_databases_are_nobody_elses_to_read(data):
    start_and_stop(data)
    for name in ("postgresql.password", "valkey.password", "postgresql.log", "postgresql/fairground.conf"):
        assert stat.S_IMODE((data / name).stat().st_mode) == 0o600, name
    for name in ("postgresql", "valkey", "run"):
        assert stat.S_IMODE((data / name).stat().st_mode) == 0o700, name


def test_the_database_is_utf8_sorts_the_same_everywhere_and_keeps_utc(data):
    holder = hold(data)
    database, _ = urls(holder)
    locale = "SELECT pg_encoding_to_char(encoding), datlocprovider, datlocale FROM pg_database WHERE datname = 'fairground'"
    assert query(database, locale) == [("UTF8", "b", "C.UTF-8")]
    assert query(database, "SHOW timezone") == [("UTC",)]
    assert query(database, "SHOW listen_addresses") == [("",)]
    assert query(database, "SELECT lower('ÄÉ')") == [("äé",)]
    kill(holder)


def test_a_lost_password_is_replaced(data):
    before, _ = start_and_stop(data)
    (data / "postgresql.password").unlink()
    holder = hold(data)
    after, _ = urls(holder)
    assert after != before
    assert query(after, "SELECT 1") == [(1,)]
    kill(holder)


def test_a_password_is_made_once(tmp_path):
    password, is_new = kept_password(tmp_path / "some.password", tmp_path)
    assert is_new
    assert len(password) > 40
    assert kept_password(tmp_path / "some.password", tmp_path) == (password, False)


# --- refusals, one sentence each


def test_a_data_folder_that_is_a_file_is_refused(data):
    data.write_text("")
    assert f"The data folder {data} is a file" in one_sentence(run(data))


def test_a_data_folder_below_a_file_is_refused(data):
    data.write_text("")
    assert "A folder above" in one_sentence(run(data / "below"))


def test_a_database_of_another_postgresql_is_refused(data):
    (data / "postgresql").mkdir(parents=True)
    (data / "postgresql" / "PG_VERSION").write_text("16\n")
    sentence = one_sentence(run(data))
    assert "made by PostgreSQL 16" in sentence
    assert "this is PostgreSQL 18" in sentence
    assert (data / "postgresql" / "PG_VERSION").read_text() == "16\n"
    wait_for_the_end(data)


def test_a_folder_that_holds_something_else_is_refused(data):
    (data / "postgresql").mkdir(parents=True)
    (data / "postgresql" / "thesis.txt").touch()
    assert "holds no PostgreSQL database" in one_sentence(run(data))


def test_the_data_folder_of_another_user_is_refused(data, monkeypatch):
    data.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 54321)
    with pytest.raises(EmbeddedError, match=rf"belongs to user id {os.getuid()} and you are"):
        embedded.start(data, BOTH)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_data_folder_without_write_permission_is_refused(data):
    data.mkdir(mode=0o500)
    assert "can't be written" in one_sentence(run(data))


def test_a_user_without_a_name_is_refused(data, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(EmbeddedError, match="User id 54321 has no name"):
        choose_account(data)


@pytest.fixture
def small_disk(data):
    """`data` on a disk of 48 MB of its own."""
    data.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "none", str(data)], capture_output=True)
    if done.returncode != 0:
        pytest.skip("only root may mount a small disk")
    yield data
    for server in (PostgreSQL(data), Valkey(data)):
        server.stop()
    subprocess.run(["umount", "--lazy", str(data)], check=True)


def test_a_disk_that_is_too_small_is_refused(small_disk):
    assert "are free" in one_sentence(run(small_disk))


def test_a_disk_that_fills_up_on_the_way_is_reported(small_disk):
    (small_disk / "ballast").write_bytes(bytes(30 * 2**20))
    script = (
        "from config import embedded, embedded_servers; embedded_servers.SPACE_NEEDED = 0; embedded.ensure()"
    )
    assert "No space left on device" in one_sentence(run(small_disk, script))


def test_a_server_that_does_not_start_is_reported_with_its_log(data):
    start_and_stop(data)
    with (data / "postgresql" / "postgresql.conf").open("a") as file:
        file.write("\nshared_buffers = plenty\n")
    sentence = one_sentence(run(data))
    assert "PostgreSQL did not start" in sentence
    assert "shared_buffers" in sentence or "errors" in sentence
    assert str(data / "postgresql.log") in sentence


def test_a_missing_package_is_reported():
    with pytest.raises(EmbeddedError, match=r"no_such_package .* is missing: run `pip install"):
        wheel_folder("no_such_package", "bin")


def test_a_system_without_file_locks_is_told_what_to_use(data):
    script = "import sys; sys.modules['fcntl'] = None\nfrom config import embedded; embedded.ensure()"
    assert "set DATABASE_URL and REDIS_URL" in one_sentence(run(data, script))


# --- places


@pytest.mark.parametrize(
    "name",
    [
        "x" * 120,
        "with space",
        "it's",
        'say "hi"',
        "a,b",
        "back\\slash",
        "ünï-নাম",
        "100%25",
        "q?x=1&y#z",
        "$(touch oh)`no`$HOME",
    ],
)
def test_any_name_of_the_data_folder_works(data, name):
    folder = data / name
    holder = hold(folder)
    database, broker = urls(holder)
    assert query(database, "SELECT 1") == [(1,)]
    assert redis.Redis.from_url(broker).ping()
    [sockets] = parse_qs(urlsplit(database).query)["host"]
    kill(holder)
    wait_for_the_end(folder)
    elsewhere = Path(sockets) != folder / "run"
    assert elsewhere == (len(name) == 120 or any(character in name for character in ',"\\'))
    assert not elsewhere or not Path(sockets).exists()


def test_django_reads_the_address(data):
    script = (
        "from config import embedded; embedded.ensure(); import django; django.setup();"
        "from django.db import connection as c; k = c.cursor(); k.execute('SELECT current_user'); print(k.fetchone()[0])"
    )
    done = run(data, script, DJANGO_SETTINGS_MODULE="config.settings", PGPORT="1", PGHOST="nowhere.example")
    assert done.stdout == "fairground\n", done.stderr


def test_folders_on_the_way_are_opened_for_passing_only(tmp_path, capsys):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    for folder in (inner, inner.parent):
        folder.chmod(0o700)
    account = Account("servers", uid=54321, gid=54321, switch=True)
    open_the_way(account, inner)
    assert [stat.S_IMODE(folder.stat().st_mode) & 0o007 for folder in (inner, inner.parent)] == [0o001, 0o001]
    assert str(inner) in capsys.readouterr().err
    open_the_way(account, inner)
    assert capsys.readouterr().err == ""


def test_a_package_installed_under_a_strict_umask_becomes_readable(tmp_path, capsys):
    package = tmp_path / "server"
    (package / "bin").mkdir(parents=True)
    program, library = package / "bin" / "server", tmp_path / "server.libs" / "lib.so"
    library.parent.mkdir()
    for path, mode in ((program, 0o700), (library, 0o600), (package / "bin", 0o700), (package, 0o700)):
        if not path.exists():
            path.touch()
        path.chmod(mode)
    make_readable(Account("servers", uid=54321, gid=54321, switch=True), package, program)
    assert stat.S_IMODE(program.stat().st_mode) & 0o007 == 0o005
    assert stat.S_IMODE(library.stat().st_mode) & 0o007 == 0o004
    assert stat.S_IMODE((package / "bin").stat().st_mode) & 0o007 == 0o005


# --- the command line


def test_the_command_line_tells_what_runs_and_stops_only_what_nobody_uses(data):
    assert command(data, "--stop").returncode == 0
    assert command(data, "--status").returncode == 3
    holder = hold(data)
    urls(holder)
    status = command(data, "--status")
    assert status.returncode == 0
    assert f"process {PostgreSQL(data).pid()}" in status.stdout
    assert "in use by the site" in status.stdout
    refused = command(data, "--stop")
    assert refused.returncode == 1
    assert "still uses the servers" in refused.stdout
    assert command(data, "--stop", "--force").returncode == 0
    assert is_down(data)
    kill(holder)


def test_left_over_servers_are_stopped_by_hand(data):
    holder = hold(data)
    urls(holder)
    guardians(data)[0].kill()
    kill(holder)
    assert command(data, "--stop").returncode == 0
    assert is_down(data)


def test_a_command_gets_servers_of_its_own_that_go_with_it(data):
    script = (
        "import os, psycopg, sys; psycopg.connect(os.environ['DATABASE_URL']).execute('SELECT 1');"
        "print(os.environ['FAIRGROUND_DATA']); sys.exit(7)"
    )
    done = command(data, "--with-temporary", sys.executable, "-c", script)
    assert done.returncode == 7, done.stderr
    assert done.stdout.strip()
    assert not Path(done.stdout.strip()).exists()
    assert not data.exists()


def test_a_long_log_is_set_aside(data, monkeypatch):
    start_and_stop(data)
    os.truncate(data / "postgresql.log", embedded_servers.LOG_LIMIT + 1)
    start_and_stop(data)
    assert (data / "postgresql.log.old").stat().st_size == embedded_servers.LOG_LIMIT + 1
    assert (data / "postgresql.log").stat().st_size < embedded_servers.LOG_LIMIT
