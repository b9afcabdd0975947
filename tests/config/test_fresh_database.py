"""The first start of a site: an empty database, and nothing but the command line."""

import subprocess
import sys
from contextlib import closing

import psycopg
import pytest

from config.roles import ROLES
from tests import databases
from tests.live import PROJECT


@pytest.fixture
def empty_database(tmp_path):
    """Environment of a process over a database without a single table."""
    name = f"{databases.worker_name()}_fresh"
    env = databases.environment(name, tmp_path)
    with closing(
        psycopg.connect(databases.with_database(env["DATABASE_URL"], "postgres"), autocommit=True)
    ) as server:
        server.execute(f'CREATE DATABASE "{name}"')
        yield env
        server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def manage(env, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False)


def test_an_empty_database_is_migrated_and_its_roles_are_filled(empty_database):
    """The system checks run before there are tables: none of them may look into the database."""
    checked = manage(empty_database, "check")
    assert checked.returncode == 0, checked.stderr
    migrated = manage(empty_database, "migrate", "--verbosity=0")
    assert migrated.returncode == 0, migrated.stderr
    with closing(psycopg.connect(empty_database["DATABASE_URL"])) as connection:
        groups = connection.execute("SELECT name FROM auth_group").fetchall()
        [[rights]] = connection.execute("SELECT count(*) FROM auth_group_permissions").fetchall()
    assert {name for (name,) in groups} == set(ROLES)
    assert rights == sum(len(names) for names in ROLES.values())
