"""Where the stand-in is, and where it must not be: nobody pays with no money on a site that sells."""

import json
import subprocess
import sys

import pytest

from tests import databases
from tests.live import PROJECT

TELL = """
import json
import django
django.setup()
from django.conf import settings
from django.urls import NoReverseMatch, reverse
from config.schedule import SCHEDULE
try:
    address = reverse("standin:initialize")
except NoReverseMatch:
    address = ""
print(json.dumps([
    settings.PAYSTACK_STANDIN, address, settings.PAYSTACK_BASE_URL, settings.PAYSTACK_SECRET_KEY[:8],
    any("standin" in job.task for job in SCHEDULE),
]))
"""
KEY = "sk_test_" + "0" * 40
REAL = "https://api.paystack.co"
OWN = "https://fairground.example/standin/paystack"


@pytest.mark.parametrize(
    ("embedded", "variables", "told"),
    [
        ("1", {}, [True, "/standin/paystack/transaction/initialize", OWN, "sk_test_", True]),
        ("1", {"PAYSTACK_SECRET_KEY": KEY}, [False, "", REAL, "sk_test_", False]),
        ("0", {"PAYSTACK_SECRET_KEY": KEY}, [False, "", REAL, "sk_test_", False]),
        ("0", {}, [False, "", REAL, "", False]),
    ],
    ids=["a demo", "a demo with a key", "production", "production without a key"],
)
def test_it_is_where_a_demo_has_no_key_and_nowhere_else(env_of_a_process, embedded, variables, told):
    env = (
        env_of_a_process
        | {"FAIRGROUND_EMBEDDED": embedded, "SITE_URL": "https://fairground.example"}
        | variables
    )
    done = subprocess.run(
        [sys.executable, "-c", TELL], cwd=PROJECT, env=env, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == told


def test_two_demos_do_not_have_each_others_key(env_of_a_process):
    keys = set()
    for secret in ("one" * 20, "two" * 20):
        done = subprocess.run(
            [sys.executable, "-c", "from django.conf import settings; print(settings.PAYSTACK_SECRET_KEY)"],
            cwd=PROJECT,
            env=env_of_a_process | {"SECRET_KEY": secret},
            capture_output=True,
            text=True,
            check=True,
        )
        keys.add(done.stdout)
    assert len(keys) == 2


@pytest.fixture
def env_of_a_process(tmp_path):
    """The environment of a process of the site; no database is asked."""
    return databases.environment("none", tmp_path)
