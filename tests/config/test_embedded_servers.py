"""The embedded servers: who may do what there, where they work, and what they refuse in one sentence."""

import os
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

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
from config.embedded_servers import PostgreSQL, Valkey, kept_password
from tests.config.holders import (
    BOTH,
    command,
    guardians,
    hold,
    is_down,
    kill,
    one_sentence,
    query,
    run,
    start_and_stop,
    urls,
    wait_for_the_end,
)

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


@pytest.mark.parametrize(("options", "durable"), [([], "off off"), (["--durable"], "on on")])
def test_its_commits_reach_the_disk_when_asked(data, options, durable):
    script = (
        "import os, psycopg; c = psycopg.connect(os.environ['DATABASE_URL']);"
        "print(*(c.execute('SHOW ' + name).fetchone()[0] for name in ('fsync', 'synchronous_commit')))"
    )
    done = command(data, *options, "--with-temporary", sys.executable, "-c", script)
    assert done.stdout.strip() == durable, done.stderr


def test_a_long_log_is_set_aside(data, monkeypatch):
    start_and_stop(data)
    os.truncate(data / "postgresql.log", embedded_servers.LOG_LIMIT + 1)
    start_and_stop(data)
    assert (data / "postgresql.log.old").stat().st_size == embedded_servers.LOG_LIMIT + 1
    assert (data / "postgresql.log").stat().st_size < embedded_servers.LOG_LIMIT
