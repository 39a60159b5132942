"""One JupyterLab for all browser tests; the browser comes from `tests/support/chromium.py`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.browser.lab import Lab, Notebook

SCREENSHOTS = Path(os.environ.get("SPA_SCREENSHOTS", Path(__file__).parents[2] / "build" / "screenshots"))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab in a temporary folder."""
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed")
    running = Lab(tmp_path_factory.mktemp("lab"))
    yield running
    running.close()


@pytest.fixture(scope="session")
def window(browser: Any) -> Iterator[Any]:
    """One window for all tests: JupyterLab's scripts are loaded and compiled once, each test has a page of its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield context
    context.close()


@pytest.fixture
def open_notebook(
    lab: Lab, window: Any, request: pytest.FixtureRequest
) -> Iterator[Callable[[Sequence[str]], Notebook]]:
    """Open and run a notebook of the given cells; takes a screenshot at the end and fails on errors of the page."""
    page = window.new_page()
    page.set_default_timeout(60_000)  # the machine may be busy with other tests
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    opened: list[Notebook] = []

    def run(cells: Sequence[str]) -> Notebook:
        opened.append(lab.notebook(page, cells, request.node.name.replace("[", "-").replace("]", "")))
        return opened[-1]

    yield run
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(SCREENSHOTS / f"{request.node.name}.png"))
    for notebook in opened:
        notebook.close()
    page.close()
    assert not [error for error in errors if "ResizeObserver" not in error], errors
