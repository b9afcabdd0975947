"""Fixtures of the tests of `config`."""

import shutil
import tempfile
from pathlib import Path

import pytest

from config.embedded_servers import PostgreSQL, Valkey
from tests.config.holders import guardians
from tests.live import wait_until


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
