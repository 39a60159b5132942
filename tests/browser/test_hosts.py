"""The widgets outside JupyterLab: Notebook 7, Voila and marimo; each is skipped where it is not installed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.browser.lab import RUN_ALL, free_port, notebook_content, server_environment
from tests.browser.test_picker import place
from tests.support.widget_data import make_micrographs

pytestmark = pytest.mark.browser
READY_S = 90.0


@contextmanager
def served(command: Sequence[str], folder: Path, address: str) -> Iterator[None]:
    """Run a server until the block ends; it is ready when its address answers."""
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=folder, env=server_environment(folder), stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + READY_S
        while True:
            try:
                urllib.request.urlopen(address, timeout=30).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((folder / "server.log").read_text(encoding="utf-8")[-2000:]) from None
                time.sleep(0.2)
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page of its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(90_000)
    yield opened
    context.close()


def picked_by_hand(page: Any) -> None:
    """Click on a particle; the kernel's answer comes back as a count in the list."""
    page.locator(".spa-stage[data-shown]").wait_for()
    assert page.locator(".spa-toast.spa-error").count() == 0
    page.locator(".spa").scroll_into_view_if_needed()
    page.mouse.click(*place(page, 64, 64))
    page.locator(".spa-badge", has_text="1").first.wait_for()
    page.locator(".spa-progress + .spa-num", has_text="1 of 100").wait_for()


def cell(folder: Path) -> str:
    star = make_micrographs(folder / "micrographs")
    return f"from spa_widgets import ManualPicker\np = ManualPicker(None, {str(star)!r}, language='en')\np"


def test_notebook_7(tmp_path: Path, page: Any) -> None:
    pytest.importorskip("notebook", reason="Notebook 7 is not installed")
    (tmp_path / "picker.ipynb").write_text(json.dumps(notebook_content([cell(tmp_path)])), encoding="utf-8")
    port = free_port()
    options = [f"--ServerApp.root_dir={tmp_path}", "--IdentityProvider.token=", "--ServerApp.allow_root=True"]
    options.append("--JupyterNotebookApp.expose_app_in_browser=True")
    command = ["notebook", "--no-browser", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", *options]
    with served(command, tmp_path, f"http://127.0.0.1:{port}/api/status"):
        page.goto(f"http://127.0.0.1:{port}/notebooks/picker.ipynb")
        page.wait_for_function("window.jupyterapp && document.querySelector('.jp-Notebook .jp-Cell')")
        page.evaluate(RUN_ALL)
        picked_by_hand(page)


def test_voila(tmp_path: Path, page: Any) -> None:
    pytest.importorskip("voila", reason="Voila is not installed")
    (tmp_path / "picker.ipynb").write_text(json.dumps(notebook_content([cell(tmp_path)])), encoding="utf-8")
    port = free_port()
    command = ["voila", "picker.ipynb", "--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1"]
    with served(command, tmp_path, f"http://127.0.0.1:{port}/voila/static/favicon.ico"):
        page.goto(f"http://127.0.0.1:{port}/")
        picked_by_hand(page)


def test_marimo(tmp_path: Path, page: Any) -> None:
    pytest.importorskip("marimo", reason="marimo is not installed")
    star = make_micrographs(tmp_path / "micrographs")
    (tmp_path / "app.py").write_text(
        "import marimo\napp = marimo.App(width='full')\n\n@app.cell\ndef _():\n    import marimo as mo\n"
        f"    from spa_widgets import ManualPicker\n    p = ManualPicker(None, {str(star)!r}, language='en')\n"
        "    mo.ui.anywidget(p)\n    return\n",
        encoding="utf-8",
    )
    port = free_port()
    command = ["marimo", "run", "app.py", "--headless", "--no-token", f"--port={port}", "--host=127.0.0.1"]
    with served(command, tmp_path, f"http://127.0.0.1:{port}/health"):
        page.goto(f"http://127.0.0.1:{port}/")
        picked_by_hand(page)
