"""What the sources may never do with data from elsewhere, proved on the syntax tree."""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDERS = ("engine", "spa_widgets", "deploy", "notebooks")
SOURCES = {folder: sorted((REPOSITORY / folder).rglob("*.py")) for folder in FOLDERS}
VIEWS = sorted((REPOSITORY / "spa_widgets").rglob("*.ts"))

# modules that run code hidden in what they read, or that are read by evaluating it
UNSAFE_MODULES = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "jsonpickle",
                  "yaml", "torch", "xmlrpc"}  # fmt: skip
# a napari model is mirrored to a process of the same person, over a socket that asks for a random key
MAY_PICKLE = {"spa_widgets/viewers/volume/mirror.py": {"dumps"}}
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "tempfile.mktemp", "pd.read_pickle",
                "shutil.unpack_archive", "ssl._create_unverified_context", "np.fromregex"}  # fmt: skip
COMMANDS = {f"subprocess.{name}" for name in ("run", "Popen", "call", "check_call", "check_output")}
UNSAFE_METHODS = {"extractall", "read_pickle", "to_pickle"}
MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|srcdoc|DOMParser"
    r"|javascript:|\beval\(|new Function\(|setTimeout\(\s*[\"'`]"
)


def name_of(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def called(node: ast.Call) -> str:
    return ast.unparse(node.func)


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def calls(path: Path) -> list[ast.Call]:
    return [node for node in nodes(path) if isinstance(node, ast.Call)]


def named(node: ast.Call, word: str) -> str | None:
    """Give an argument by its name as it is written."""
    return next((ast.unparse(each.value) for each in node.keywords if each.arg == word), None)


def imported(path: Path) -> set[str]:
    """Give the packages that a file imports."""
    found: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_nothing_that_is_read_can_run(folder: str) -> None:
    for path in SOURCES[folder]:
        unsafe = imported(path) & UNSAFE_MODULES
        if allowed := MAY_PICKLE.get(name_of(path)):
            unsafe -= {"pickle"}
            uses = {called(node).partition(".")[2] for node in calls(path) if called(node).startswith("pickle.")}
            assert uses == allowed, f"{name_of(path)} uses pickle.{uses - allowed}"
        assert not unsafe, f"{name_of(path)} imports {unsafe}"
        for node in calls(path):
            what = called(node)
            assert what not in UNSAFE_CALLS and what.rpartition(".")[2] not in UNSAFE_METHODS, (
                f"{name_of(path)}:{node.lineno} calls {what}"
            )


@pytest.mark.parametrize("folder", FOLDERS)
def test_arrays_are_read_and_written_without_pickled_objects(folder: str) -> None:
    for path in SOURCES[folder]:
        for node in calls(path):
            if called(node) in ("np.load", "numpy.load"):
                assert named(node, "allow_pickle") == "False", f"{name_of(path)}:{node.lineno}"
            assert named(node, "allow_pickle") != "True", f"{name_of(path)}:{node.lineno}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_shell_sees_a_name_and_no_certificate_goes_unchecked(folder: str) -> None:
    for path in SOURCES[folder]:
        for node in calls(path):
            assert named(node, "shell") is None, f"{name_of(path)}:{node.lineno} uses a shell"
            assert named(node, "verify") != "False", f"{name_of(path)}:{node.lineno} checks no certificate"
            if called(node) in COMMANDS and node.args:
                text = isinstance(node.args[0], ast.JoinedStr | ast.Constant)
                assert not text, f"{name_of(path)}:{node.lineno} gives a command as text"


def test_views_make_no_markup_of_text() -> None:
    assert len(VIEWS) > 20
    for path in VIEWS:
        found = MARKUP.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{name_of(path)}: {found and found.group()}"


def test_no_secret_is_in_the_repository() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, encoding="utf-8", check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    secret = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bghp_[A-Za-z0-9]{30}|\bAKIA[0-9A-Z]{16}\b")
    for name in listed.stdout.splitlines():
        path = REPOSITORY / name
        if path.is_file() and path.suffix not in (".png", ".gz", ".webp"):
            assert secret.search(path.read_text(encoding="utf-8", errors="replace")) is None, name
