"""What Binder does with the repository, as far as it goes without Docker: packages, postBuild, start."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

from tests.browser.lab import ROOT

pytestmark = pytest.mark.timeout(600)
BINDER = ROOT / "binder"


def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, encoding="utf-8", check=False
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the repository in a folder of their own, with bundles so that Node is not asked again."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("this is no git checkout")
    folder = tmp_path_factory.mktemp("binder") / "repository"
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).stdout.split("\0")
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    shutil.copytree(ROOT / "spa_widgets" / "static", folder / "spa_widgets" / "static")
    return folder


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with the packages that the project needs, and without the project."""
    folder = tmp_path_factory.mktemp("environment")
    made = run(sys.executable, "-m", "venv", "--without-pip", str(folder), cwd=folder)
    assert made.returncode == 0, made.stderr
    packages = next((folder / "lib").glob("python*/site-packages"))
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder / "bin" / "python"


def test_the_environment_names_what_the_project_asks_for() -> None:
    environment = yaml.safe_load((BINDER / "environment.yml").read_text(encoding="utf-8"))
    assert environment["channels"] == ["conda-forge"]
    names = {line.split("=")[0] for line in environment["dependencies"]}
    assert names == {"python", "nodejs", "pip"}, "all else comes from pyproject.toml"


def test_debian_packages_exist() -> None:
    wanted = (BINDER / "apt.txt").read_text(encoding="utf-8").split()
    if shutil.which("apt-cache") is None:
        pytest.skip("there is no apt here")
    known = run("apt-cache", "show", "--no-all-versions", "bash", cwd=ROOT)
    if known.returncode != 0:
        pytest.skip("apt has no lists of packages here")
    missing = [name for name in wanted if run("apt-cache", "show", name, cwd=ROOT).returncode != 0]
    assert missing == []


def test_post_build_and_start_run_in_a_clean_copy(copy: Path, python: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    path = os.pathsep.join([str(python.parent), os.environ["PATH"]])
    built = run(
        "binder/postBuild", cwd=copy, PATH=path, HOME=str(home), PYTHONPATH="",
        PIP_DISABLE_PIP_VERSION_CHECK="1", NUMBA_DISABLE_JIT="1",
    )  # fmt: skip
    if built.returncode != 0 and any(sign in built.stderr for sign in ("ConnectionError", "No matching distribution")):
        pytest.skip("the build's own packages cannot be fetched here")
    assert built.returncode == 0, built.stderr[-3000:]
    assert (copy / "notebooks" / "tutorial.ipynb").exists()
    assert all((copy / "notebooks" / f"{name}.ipynb").exists() for name in ("tutorial.ja", "experiments"))

    code = "import spa_widgets, os; print(spa_widgets.__file__, os.environ['SPA_THREADS'], os.getcwd())"
    for limit, threads in (("1.5", "1"), ("0.5", "1"), ("4", "4"), ("", "2")):
        started = run(
            "binder/start", "python", "-c", code, cwd=copy, PATH=path, HOME=str(home), PYTHONPATH="",
            CPU_LIMIT=limit, OMP_NUM_THREADS="", SPA_NOTEBOOKS=str(copy / "notebooks"),
        )  # fmt: skip
        assert started.returncode == 0, started.stderr
        where, told, folder = started.stdout.split()
        assert Path(where).is_relative_to(python.parents[1]), "the installed one is used"
        assert (told, folder) == (threads, str(home))
    assert (home / "tutorial.ipynb").stat().st_mode & 0o077 == 0


def test_a_notebook_is_copied_once_and_never_over_another(tmp_path: Path) -> None:
    home, notebooks = tmp_path / "home", tmp_path / "notebooks"
    home.mkdir()
    notebooks.mkdir()
    (notebooks / "tutorial.ipynb").write_text("new", encoding="utf-8")
    (notebooks / "second one.ipynb").write_text("second", encoding="utf-8")
    (home / "tutorial.ipynb").write_text("my own work", encoding="utf-8")
    (home / "elsewhere.ipynb").symlink_to(tmp_path / "nowhere")
    start = str(ROOT / "deploy" / "jupyterhub" / "start-server")
    for _ in range(2):
        done = run(start, "true", cwd=tmp_path, HOME=str(home), SPA_NOTEBOOKS=str(notebooks))
        assert done.returncode == 0, done.stderr
    assert (home / "tutorial.ipynb").read_text(encoding="utf-8") == "my own work"
    assert (home / "second one.ipynb").read_text(encoding="utf-8") == "second"
    assert not list(home.glob("*.part"))
