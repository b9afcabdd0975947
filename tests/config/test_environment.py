"""`make`: what it lists, and the environment it makes, interrupted and broken in every way."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.live import PROJECT

NOT_TO_BE_HAD = f"no-such-package==1.0 --hash=sha256:{'0' * 64}\n"


@pytest.fixture
def project(tmp_path):
    """A project with nothing but the script and an empty requirements file."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(PROJECT / ".ci" / "environment.py", tmp_path / ".ci")
    (tmp_path / "requirements.txt").touch()
    return tmp_path


def make_environment(project, python=sys.executable):
    return subprocess.run(
        [python, str(project / ".ci" / "environment.py"), "requirements.txt"],
        env=os.environ | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_environment_is_made_once_and_again_only_when_something_changed(project):
    first = make_environment(project)
    assert first.returncode == 0, first.stderr
    assert "making the environment" in first.stderr
    assert "installing" in first.stderr
    assert make_environment(project).stderr == ""

    (project / "requirements.txt").write_text("# changed\n")
    changed = make_environment(project)
    assert "making" not in changed.stderr
    assert "installing" in changed.stderr

    (project / ".venv" / "bin" / "python").unlink()
    mended = make_environment(project)
    assert "making the environment" in mended.stderr
    assert mended.returncode == 0
    assert make_environment(project).stderr == ""


def test_a_failed_install_is_not_taken_for_done(project):
    make_environment(project)
    (project / "requirements.txt").write_text(NOT_TO_BE_HAD)
    for _ in range(2):
        failed = make_environment(project)
        assert failed.returncode == 1
        assert failed.stderr.splitlines()[-1].startswith("Fairground: installing requirements.txt failed")
    (project / "requirements.txt").write_text("")
    assert "installing" in make_environment(project).stderr, "the old stamp outlived the failed install"


def test_makes_at_the_same_time_take_turns(project):
    command = [sys.executable, str(project / ".ci" / "environment.py"), "requirements.txt"]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert sorted("making" in text for text in told) == [False, True]


def test_a_python_without_venv_is_told_what_to_install(project):
    (project / ".ci" / "venv.py").write_text("raise SystemExit('no ensurepip here')\n")
    done = subprocess.run(
        [sys.executable, str(project / ".ci" / "environment.py"), "requirements.txt"],
        env=os.environ | {"PYTHONPATH": str(project / ".ci")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "(no ensurepip here): install its modules venv and ensurepip" in done.stderr.splitlines()[-1]


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_help_lists_the_targets_and_is_what_make_alone_does():
    done = subprocess.run(["make"], cwd=PROJECT, capture_output=True, text=True, check=True)
    targets = [line.split()[1] for line in done.stdout.splitlines()]
    assert targets == ["help", "run", "test", "check", "soak", "bench", "lock", "clean"]


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_make_without_a_new_enough_python_says_so():
    done = subprocess.run(
        ["make", "run", "PYTHON="], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("Fairground: no Python 3.11 or newer found")
