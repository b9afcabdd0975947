"""The documents say what the code does, as far as a machine can tell."""

import re
from pathlib import Path

import pytest

from tests.test_architecture import our_files

ROOT = Path(__file__).resolve().parent.parent
FILES = (".py", ".toml", ".md", ".txt", ".html", ".js", ".css")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])

_READ = (
    r"""environ(?:\.get)?[(\[]\s*["']([A-Z][A-Z0-9_]+)["']""",
    r"""\benv(?:\.\w+)?\(\s*["']([A-Z][A-Z0-9_]+)["']""",
    r"""_kept_secret\(\s*["']([A-Z][A-Z0-9_]+)["']""",
    r"""\$\{([A-Z][A-Z0-9_]+)""",
)
# Of the operating system, of Django, of libpq, and of a process for its own children.
_NOT_SETTINGS = {"PATH", "PGOPTIONS", "DJANGO_SETTINGS_MODULE", "DJANGO_ALLOW_ASYNC_UNSAFE"}


def settings_read() -> set[str]:
    """Variables that the site, the Procfile or the tests' browser read."""
    sources = [path for path in our_files(".py") if "tests" not in path.relative_to(ROOT).parts]
    sources += [ROOT / "Procfile", ROOT / "tests" / "conftest.py"]
    text = "\n".join(path.read_text() for path in sources)
    return {name for pattern in _READ for name in re.findall(pattern, text)} - _NOT_SETTINGS


@pytest.mark.parametrize("document", ["docs/settings.md", ".env.example"])
def test_every_setting_is_listed_and_nothing_else(document):
    text = (ROOT / document).read_text()
    pattern = (
        r"^\| `([A-Z][A-Z0-9_]+)` \|"
        if document.endswith(".md")
        else r"^(?:#|.*itself: )?([A-Z][A-Z0-9_]+)(?:=|$)"
    )
    assert set(re.findall(pattern, text, re.MULTILINE)) == settings_read()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files_that_are_there(document):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text())
    broken = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_files_it_names_are_there(document):
    named = re.findall(r"`((?:[\w.-]+/)+[\w.-]*\w|[\w-]+\.(?:py|toml|md|txt))`", document.read_text())
    homes = [ROOT, document.parent, *(path for path in ROOT.iterdir() if path.is_dir())]
    names = {path.name for path in our_files(*FILES)}
    missing = [
        name for name in named if name not in names and not any((home / name).exists() for home in homes)
    ]
    assert missing == []
