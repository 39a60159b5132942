"""Memory of the tutorial inside JupyterLab, as Binder starts it: ``python -m tests.benchmarks.binder_memory``.

The server is started by ``binder/start``, a headless browser opens the notebook and runs every cell, with all widgets
drawn; what is counted is what Binder counts: the server, the kernel, the runner and its workers, not the browser.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import jupytext

from spa_widgets.tutorial.memory import PeakMemory
from tests.benchmarks.run import REPOSITORY, THREAD_VARIABLES
from tests.browser.lab import CHROMIUM_ARGUMENTS, RUN_ALL, find_chromium, free_port

LIMIT_BYTES = 2_000_000_000  # what mybinder.org gives
CORES = "2"
_READY_S, _TUTORIAL_S = 120.0, 3000.0
_STATE = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  const cells = panel.content.widgets.filter((cell) => cell.model.type === 'code');
  const failed = cells.filter((cell) => cell.model.outputs.toJSON().some((output) => output.output_type === 'error'));
  const done = cells.filter((cell) => cell.model.executionCount !== null);
  const is_idle = panel.sessionContext.session.kernel.status === 'idle';
  return [done.length, cells.length, failed.length, is_idle];
}"""
_PARTS = {"jupyterlab": "server", "ipykernel": "kernel", "spa_widgets.session.runner": "runner"}


def main() -> int:
    """Run the tutorial in a browser, print the peak of all processes; 1 when it is too high or a cell fails."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory(prefix="spa-binder-", ignore_cleanup_errors=True) as folder:
        home, notebooks = Path(folder, "home"), Path(folder, "notebooks")
        for path in (home, notebooks):
            path.mkdir()
        jupytext.write(jupytext.read(REPOSITORY / "notebooks" / "tutorial.py"), notebooks / "tutorial.ipynb")
        port = free_port()
        server = _start(home, notebooks, port)
        try:
            with (
                sync_playwright() as playwright,
                PeakMemory(home / "tutorial-output" / "project", 0.5, server.pid) as peak,
            ):
                chromium = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_ARGUMENTS)
                failed = _run_notebook(chromium.new_page(), f"http://127.0.0.1:{port}/doc/tree/tutorial.ipynb")
                chromium.close()
        finally:
            server.terminate()
            server.wait(30)
    for name, size in _by_part(peak.peak_by_process).items():
        print(f"{name:<10} {size / 1e9:.2f} GB")
    print(f"together   {peak.peak_bytes / 1e9:.2f} GB of {LIMIT_BYTES / 1e9:.0f} GB, {failed} cells failed")
    return int(failed > 0 or peak.peak_bytes > LIMIT_BYTES)


def _start(home: Path, notebooks: Path, port: int) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name not in (*THREAD_VARIABLES, "SPA_THREADS")}
    command = [
        str(REPOSITORY / "binder" / "start"), sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root",
        "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={home}", "--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    given = {"HOME": str(home), "SPA_NOTEBOOKS": str(notebooks), "CPU_LIMIT": CORES, "PYTHONPATH": str(REPOSITORY)}
    with (home / ".lab.log").open("wb") as log:
        return subprocess.Popen(command, cwd=home, env={**environment, **given}, stdout=log, stderr=log)


def _run_notebook(page: Any, address: str) -> int:
    """Run every cell, and return how many failed."""
    page.set_default_timeout(1e3 * _READY_S)
    deadline = time.monotonic() + _READY_S
    while True:
        try:
            page.goto(address)
            break
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
    page.wait_for_function("window.jupyterapp && document.querySelector('.jp-Notebook .jp-Cell')")
    page.evaluate(RUN_ALL)
    deadline, told = time.monotonic() + _TUTORIAL_S, 0
    while time.monotonic() < deadline:
        done, count, failed, is_idle = page.evaluate(_STATE)
        if done != told:
            print(f"{done} of {count} cells", flush=True)
            told = done
        if failed or (done == count and is_idle):
            page.wait_for_timeout(5000)  # the last widgets are drawn
            return int(failed)
        time.sleep(2)
    raise RuntimeError(f"the notebook did not end within {_TUTORIAL_S:.0f} s")


def _by_part(sizes: dict[str, int]) -> dict[str, int]:
    """Add up the processes of the server, the kernel, the runner, and the workers (all others)."""
    found: dict[str, int] = defaultdict(int)
    for label, size in sizes.items():
        found[next((part for sign, part in _PARTS.items() if sign in label), "workers")] += size
    return dict(found)


if __name__ == "__main__":
    sys.exit(main())
