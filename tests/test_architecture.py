"""The house rules of `docs/architecture.md`, held by the machine.

The order of the floors stands in `pyproject.toml` alone, where import-linter reads it too.
"""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from django.apps import apps
from django.core import signals as core_signals
from django.db.models import ForeignKey, ManyToManyField, Model
from django.db.models import signals as model_signals
from django.dispatch import Signal

ROOT = Path(__file__).resolve().parent.parent
LOCK_FILES = ["requirements.txt", "requirements-dev.txt", "requirements-bench.txt"]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MOST_LINES = 500
CODE = {".py", ".js", ".css", ".html"}
NOT_OURS = {
    ".git",
    ".venv",
    ".data",
    "node_modules",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    "migrations",
}
STANDS_ALONE = "verifier"  # one file that people download and run: it imports what it needs where it needs it
VAGUE_NAMES = {"utils", "util", "helpers", "common", "misc", "selectors", "signals"}


@cache
def floors() -> list[set[str]]:
    """Our apps, the highest first; those that share a floor don't know each other."""
    [contract] = [c for c in PYPROJECT["tool"]["importlinter"]["contracts"] if c["type"] == "layers"]
    return [{app.strip() for app in layer.split("|")} for layer in contract["layers"]]


def floor_of(app: str) -> int:
    """Number of the app's floor, 0 is the ground."""
    [height] = [height for height, members in enumerate(reversed(floors())) if app in members]
    return height


def our_apps() -> set[str]:
    return set().union(*floors())


def house_of(label: str) -> str:
    """The app on a floor that the app with this label is, or is a part of: the stand-in of Paystack is of payments."""
    return apps.get_app_config(label).name.split(".")[0]


def our_models() -> list[type[Model]]:
    ours = our_apps()
    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if house_of(model._meta.app_label) in ours
    ]


def our_files(*suffixes: str) -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*")):
        if path.suffix in suffixes and path.is_file() and not NOT_OURS & set(path.relative_to(ROOT).parts):
            yield path


def code_of_apps() -> Iterator[tuple[Path, ast.Module]]:
    for path in our_files(".py"):
        if path.relative_to(ROOT).parts[0] in our_apps():
            yield path, ast.parse(path.read_text())


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


class TestFloors:
    def test_every_app_of_ours_stands_on_a_floor(self):
        # Ours is what no package brought: the environment may lie inside the project.
        installed = {
            house_of(config.label)
            for config in apps.get_app_configs()
            if "site-packages" not in Path(config.path).parts
        }
        assert installed == our_apps()
        assert set(PYPROJECT["tool"]["importlinter"]["root_packages"]) == our_apps()
        assert our_apps() <= set(PYPROJECT["tool"]["mypy"]["files"])

    def test_foreign_keys_run_downwards(self):
        """A foreign key given as text escapes the import linter."""
        upwards = [
            f"{model._meta.label}.{field.name} → {field.related_model._meta.label}"
            for model in our_models()
            for field in model._meta.get_fields()
            if isinstance(field, ForeignKey | ManyToManyField)
            and (other := house_of(field.related_model._meta.app_label)) in our_apps()
            and other != (own := house_of(model._meta.app_label))
            and floor_of(other) >= floor_of(own)
        ]
        assert upwards == []

    def test_migrations_depend_downwards(self):
        upwards = []
        for path in [*ROOT.glob("*/migrations/0*.py"), *ROOT.glob("*/*/migrations/0*.py")]:
            app = path.relative_to(ROOT).parts[0]
            if app not in our_apps():
                continue
            for other in (
                set(re.findall(r'\(\s*["\'](\w+)["\'],\s*["\']\d{4}_', path.read_text())) & our_apps()
            ):
                if other != app and floor_of(other) >= floor_of(app):
                    upwards.append(f"{shown(path)} → {other}")
        assert upwards == []

    def test_imports_run_downwards(self):
        linter = Path(sys.executable).with_name("lint-imports")
        result = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr


class TestStandIn:
    """It takes Paystack's place. The import linter has to be told what it must not know, name by name."""

    def test_it_imports_nothing_of_ours_but_itself(self):
        imported = {
            name
            for path in (ROOT / "payments" / "standin").rglob("*.py")
            for node in ast.walk(ast.parse(path.read_text()))
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""] * (node.level == 0)
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        ours = {name for name in imported if name.split(".")[0] in our_apps()}
        assert ours
        assert {name for name in ours if not name.startswith("payments.standin")} == set()


class TestFiles:
    @pytest.mark.parametrize("suffix", sorted(CODE))
    def test_no_file_is_too_long(self, suffix):
        long = {
            shown(path): n
            for path in our_files(suffix)
            if (n := len(path.read_text().splitlines())) > MOST_LINES
        }
        assert long == {}

    def test_no_file_has_a_name_that_says_nothing(self):
        assert [shown(path) for path in our_files(".py", ".js") if path.stem in VAGUE_NAMES] == []

    def test_every_module_says_what_it_owns(self):
        silent = [shown(path) for path, tree in code_of_apps() if tree.body and not ast.get_docstring(tree)]
        assert silent == []

    def test_every_verb_says_what_it_does(self):
        """Public functions and classes of services, rules and seams: all modules but the thin edges."""
        edges = {"admin", "urls", "api_urls", "apps", "forms", "checks", "settings"}
        silent = [
            f"{shown(path)}: {node.name}"
            for path, tree in code_of_apps()
            if path.stem not in edges and STANDS_ALONE not in path.parts
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
        ]
        assert silent == []

    def test_no_import_hides_in_a_function(self):
        hidden = [
            f"{shown(path)}:{inner.lineno}"
            for path, tree in code_of_apps()
            if STANDS_ALONE not in path.parts
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
            if not (path.stem == "apps" and function.name == "ready")  # models exist only then
            for inner in ast.walk(function)
            if isinstance(inner, ast.Import | ast.ImportFrom)
        ]
        assert hidden == []

    def test_no_file_names_the_machine_it_was_written_on(self):
        """Paths of somebody's home and addresses of package indexes belong to a machine, not to the project."""
        pattern = re.compile(r"/(?:home|Users)/\w|--(?:extra-)?index-url|/simple/")
        text = (".py", ".toml", ".txt", ".md", ".yml", ".html", ".js", ".css", ".in", ".cfg")
        found = [
            shown(path)
            for path in our_files(*text)
            if path != Path(__file__) and pattern.search(path.read_text())
        ]
        assert found == []


class TestSignals:
    """Business logic is called by name; a signal is a call that nobody finds."""

    ALLOWED = {"config.roles.sync_after_migrate"}

    def test_nothing_of_ours_listens_to_signals(self):
        listening = set()
        for module in (core_signals, model_signals):
            for signal in vars(module).values():
                if isinstance(signal, Signal):
                    listening |= {self.name_of(reference) for _key, reference, *_rest in signal.receivers}
        ours = {name for name in listening if name.split(".")[0] in our_apps()}
        assert ours <= self.ALLOWED

    @staticmethod
    def name_of(reference) -> str:
        receiver = reference() if hasattr(reference, "__callback__") else reference
        return f"{getattr(receiver, '__module__', '')}.{getattr(receiver, '__qualname__', '')}"

    def test_models_have_no_logic_in_save(self):
        assert [model.__name__ for model in our_models() if "save" in vars(model)] == []


class TestRequirements:
    @pytest.mark.parametrize("name", LOCK_FILES)
    def test_every_requirement_is_pinned_and_hashed(self, name):
        text = (ROOT / name).read_text().replace("\\\n", " ")
        lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        loose = [
            line for line in lines if not re.match(r"[\w.\[\],-]+==[^\s]+.*--hash=sha256:[0-9a-f]{64}", line)
        ]
        assert lines
        assert loose == []

    @pytest.mark.parametrize("name", LOCK_FILES)
    def test_no_index_is_named(self, name):
        assert not re.search(r"https?://|index-url|find-links|trusted-host", (ROOT / name).read_text())

    def test_a_longer_list_has_the_versions_of_the_shorter(self):
        pins = [
            set(re.findall(r"^[\w.\[\],-]+==\S+", (ROOT / name).read_text(), re.MULTILINE))
            for name in LOCK_FILES
        ]
        assert [sorted(shorter - longer) for shorter, longer in pairwise(pins)] == [[], []]

    def test_every_dependency_has_a_line_of_reason_and_is_locked(self):
        lines = re.findall(
            r'^ {2}"([\w.-]+)(?:\[[^"]*\])?[<>=][^"]*",(.*)$',
            (ROOT / "pyproject.toml").read_text(),
            re.MULTILINE,
        )
        extras = PYPROJECT["project"]["optional-dependencies"]
        declared = PYPROJECT["project"]["dependencies"] + extras["dev"] + extras["bench"]
        assert len(lines) == len(declared)
        assert [name for name, reason in lines if not reason.strip().startswith("# ")] == []
        locked = (ROOT / "requirements-bench.txt").read_text().lower().replace("_", "-")
        missing = [
            name for name, _reason in lines if f"\n{name.lower().replace('_', '-')}" not in f"\n{locked}"
        ]
        assert missing == []
