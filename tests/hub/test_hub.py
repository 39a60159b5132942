"""A class on a real hub: people who click at once in browsers of their own, and walls between them."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spa_widgets import Session
from tests.hub.running import RunningHub, what_is_missing
from tests.support.widget_data import PIXEL_A, make_micrographs

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
OPTICS = {"pixel_size_A": PIXEL_A, "voltage_kv": 300.0, "cs_mm": 1.6, "dose_e_per_A2": 35.0}
NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook"
BROWSER_S = 120.0


def first_cells(folder: Path) -> None:
    """Write the tutorial's notebook up to the CTF; participants get a copy."""
    import jupytext

    source = Path(__file__).parents[2] / "notebooks" / "tutorial.py"
    notebook = jupytext.read(source)
    last = next(i for i, cell in enumerate(notebook.cells) if "estimate_ctf" in cell.source)
    notebook.cells = notebook.cells[: last + 1]
    folder.mkdir()
    jupytext.write(notebook, folder / "tutorial.ipynb")


@pytest.fixture(scope="module")
def class_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Micrographs and notebooks of the class, and the instructor's results in a store that all can read."""
    reason = what_is_missing()
    if reason:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("class")
    for part in (folder, *list(folder.parents)[:3]):  # pytest's folders are closed to others
        if part.name.startswith(("pytest-", "class")):
            part.chmod(0o755)
    make_micrographs(folder / "micrographs")
    first_cells(folder / "notebooks")
    session = Session(folder / "instructor", store=folder / "store")
    micrographs = session.import_micrographs(
        str(folder / "micrographs" / "*.mrc"), amplitude_contrast=0.1, **OPTICS
    ).wait()
    session.estimate_ctf(micrographs).wait()
    session.runner.stop()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def hub(class_folder: Path) -> Iterator[RunningHub]:
    """A running hub with two guests and a looker-on."""
    running = RunningHub(
        class_folder / "hub",
        notebooks=str(class_folder / "notebooks"),
        class_store=str(class_folder / "store"),
        tutorial={"micrographs": str(class_folder / "micrographs" / "*.mrc"), **OPTICS},
    )
    try:
        running.guests(2, "guests", f"trial{os.getpid()}g")
        running.guests(1, "lookers-on", f"trial{os.getpid()}l")
        running.start()
        yield running
    finally:
        running.close()


def log_in(hub: RunningHub, browser: Any, name: str) -> Any:
    """Open a browser of one's own and log in; gives the page."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(BROWSER_S * 1000)
    page.goto(f"{hub.url}/hub/login")
    page.fill("#username_input", name)
    page.fill("#password_input", hub.phrases[name])
    page.click("#login_submit")
    return page


def run_cells(pages: list[Any]) -> None:
    """Run the notebook in several browsers, a cell here and a cell there."""
    for page in pages:
        page.locator(f"{NOTEBOOK} .jp-Cell").first.wait_for()
        page.locator(".jp-Toolbar-kernelStatus, .jp-Notebook-ExecutionIndicator").first.wait_for()
        page.locator(f"{NOTEBOOK} .jp-Cell").first.click()
    for _ in range(40):
        for page in pages:
            page.keyboard.press("Shift+Enter")
            page.wait_for_timeout(100)


def job(home: Path, name: str) -> dict[str, Any]:
    """Wait for a finished job in a participant's project and give its facts."""
    deadline = time.monotonic() + BROWSER_S
    path = home / "tutorial-output" / "project" / "jobs" / name / "job.json"
    while time.monotonic() < deadline:
        if path.exists() and (facts := json.loads(path.read_text()))["state"] == "finished":
            return facts
        time.sleep(0.3)
    raise AssertionError(f"{path}: {path.read_text() if path.exists() else 'is not there'}")


def test_two_people_click_at_once(hub: RunningHub, browser: Any, class_folder: Path) -> None:
    first, second = [name for name in hub.phrases if "g0" in name]
    pages = [log_in(hub, browser, name) for name in (first, second)]
    run_cells(pages)
    for name in (first, second):
        assert job(hub.home(name), "J2-estimate_ctf")["state"] == "finished"
