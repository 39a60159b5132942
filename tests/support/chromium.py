"""The one headless Chromium of a test run; skipped with the reason where there is none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def _launch(playwright: Any) -> Any:
    """Start an installed Chromium, else Playwright's own, downloading it if that is possible."""
    from tests.browser.lab import CHROMIUM_ARGUMENTS, find_chromium  # here: tests of a GPU run without Jupyter

    installed = find_chromium()
    if installed:
        return playwright.chromium.launch(executable_path=installed, args=CHROMIUM_ARGUMENTS)
    if not Path(playwright.chromium.executable_path).exists():
        done = subprocess.run(
            [sys.executable, "-m", "playwright", "install", "chromium"],
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        if done.returncode != 0:
            pytest.skip(
                "no Chromium is installed and `playwright install chromium` failed: " + done.stderr.strip()[-200:]
            )
    return playwright.chromium.launch(args=CHROMIUM_ARGUMENTS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium with WebGL in software."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        running = _launch(playwright)
        yield running
        running.close()
