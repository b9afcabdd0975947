"""The Python environment of `make`: `.venv`, with exactly what a requirements file locks.

    python3 .ci/environment.py requirements.txt

Installs only when the file, the Python or the environment has changed since: the stamp in `.venv` holds
their hash, is removed before an install begins and written when it is complete. Two makes at
once take turns. Needs nothing but the standard library, and its syntax is old enough to tell an old Python so.
"""

import hashlib
import os
import shutil
import subprocess
import sys

PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(PROJECT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")


def main(requirements):
    """Make `.venv` fit `requirements`, a file name; ends the process with one sentence where it can't."""
    if sys.version_info < (3, 11):
        stop(
            "Python %d.%d is too old: install Python 3.11 or newer, or name one: make PYTHON=…"
            % sys.version_info[:2]
        )
    try:
        import fcntl
    except ImportError:
        stop("this system has no file locks (fcntl): use Linux or macOS, or WSL on Windows.")
    os.makedirs(VENV, exist_ok=True)
    with open(os.path.join(VENV, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = os.path.join(VENV, ".installed-" + requirements)
        if not works() or made_by() != sys.version:
            make_environment()
        wanted = digest(requirements)
        if read(stamp) != wanted:
            remove(stamp)
            install(requirements)
            write(stamp, wanted)


def make_environment():
    """A new `.venv`; the lock in it stays, since somebody may be waiting for it."""
    for name in os.listdir(VENV):
        path = os.path.join(VENV, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif name != ".lock":
            os.remove(path)
    say("making the environment .venv with Python %d.%d" % sys.version_info[:2])
    done = subprocess.run(
        [sys.executable, "-m", "venv", VENV], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode != 0 or not works():
        version = "%d.%d" % sys.version_info[:2]
        stop(
            "Python could not make a virtual environment (%s): install its modules venv and ensurepip "
            "(Debian: apt install python3-venv or python%s-venv), or name another: make PYTHON=…"
            % ((done.stdout.strip().splitlines() or ["no reason given"])[-1], version)
        )
    write(os.path.join(VENV, ".made-by"), sys.version)


def install(requirements):
    """Install what is locked; pip takes index, proxies and certificates from its own settings and PIP_*."""
    say("installing what %s locks; only the first time takes a while" % requirements)
    command = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    done = subprocess.run(
        [*command, "--require-hashes", "--requirement", os.path.join(PROJECT, requirements)]
    )
    if done.returncode != 0:
        stop(
            "installing %s failed: pip says why above; mend that (network, disk, proxy: PIP_*) and try again."
            % requirements
        )


def works():
    """Whether `.venv` has a Python that runs and has pip; not so after an interrupted start or a moved Python."""
    try:
        return subprocess.run([PYTHON, "-c", "import pip"], capture_output=True).returncode == 0
    except OSError:
        return False


def made_by():
    """The version of Python that made `.venv`."""
    return read(os.path.join(VENV, ".made-by"))


def digest(requirements):
    """What the stamp holds: the file, the Python and the place, whose path is written into the scripts."""
    with open(os.path.join(PROJECT, requirements), "rb") as file:
        return hashlib.sha256(b"\0".join([file.read(), sys.version.encode(), VENV.encode()])).hexdigest()


def read(path):
    """Text of a file, empty if there is none."""
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return ""


def write(path, text):
    """Write a file in one step."""
    with open(path + ".new", "w") as file:
        file.write(text)
    os.replace(path + ".new", path)


def remove(path):
    """Remove a file if it is there."""
    if os.path.exists(path):
        os.remove(path)


def say(line):
    """One plain line on standard error."""
    sys.stderr.write("Fairground: %s\n" % line)
    sys.stderr.flush()


def stop(line):
    """Say why and end."""
    say(line)
    sys.exit(1)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except OSError as error:
        stop("the environment %s can't be made (%s): mend that and try again." % (VENV, error))
    except KeyboardInterrupt:
        sys.exit(130)
