"""A JupyterLab server of its own and notebooks in it that a headless browser opens and runs."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient

ROOT = Path(__file__).parents[2]
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu-compositing",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--lang=en-US",
]
READY_S = 60.0
# a command given before the kernel has answered is lost, so wait for the session, not for the look of the page
RUN_ALL = """async () => {
  const pause = () => new Promise((done) => setTimeout(done, 100));
  let panel = null;
  while (!(panel = window.jupyterapp.shell.currentWidget) || !panel.sessionContext) await pause();
  await panel.context.ready;
  await panel.sessionContext.ready;
  while (!panel.sessionContext.session?.kernel) await pause();
  await panel.sessionContext.session.kernel.info;
  window.jupyterapp.commands.execute('notebook:run-all-cells');
  return null;
}"""


def find_chromium() -> str | None:
    """Give an installed Chromium or Chrome; None if there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome", "chrome"):
        found = shutil.which(name)
        if found:
            return found
    return None


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def server_environment(folder: Path) -> dict[str, str]:
    """Give the environment of a server that keeps everything in a folder and finds the project."""
    return dict(
        os.environ,
        JUPYTER_RUNTIME_DIR=str(folder / ".runtime"),
        JUPYTERLAB_SETTINGS_DIR=str(folder / ".settings"),
        JUPYTER_CONFIG_DIR=str(folder / ".config"),
        PYTHONPATH=os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        PYTHON_HISTORY="",
    )


def notebook_content(cells: Sequence[str]) -> dict[str, Any]:
    """Give a notebook of code cells as it is in its file."""
    return {
        "cells": [{"cell_type": "code", "id": f"c{i}", "metadata": {}, "outputs": [], "execution_count": None,
                   "source": text} for i, text in enumerate(cells)],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4, "nbformat_minor": 5,
    }  # fmt: skip


def _settings(folder: Path, theme: str) -> None:
    plugin = folder / "@jupyterlab" / "apputils-extension"
    plugin.mkdir(parents=True, exist_ok=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
    (plugin / "notification.jupyterlab-settings").write_text(json.dumps(quiet), encoding="utf-8")
    (plugin / "themes.jupyterlab-settings").write_text(json.dumps({"theme": theme}), encoding="utf-8")


class Lab:
    """A running JupyterLab in a folder."""

    def __init__(self, folder: Path, theme: str = "JupyterLab Light") -> None:
        self.folder, self.port = folder, free_port()
        self.runtime = folder / ".runtime"  # as in server_environment
        _settings(folder / ".settings", theme)
        environment = server_environment(folder)
        command = [
            sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}",
            "--IdentityProvider.token=", "--ServerApp.allow_root=True", "--ServerApp.disable_check_xsrf=True",
            "--LabApp.expose_app_in_browser=True", "--LabApp.collaborative=False",
        ]  # fmt: skip
        self._log = (folder / ".lab.log").open("wb")
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=self._log, stderr=subprocess.STDOUT
        )
        self._wait()

    @property
    def url(self) -> str:
        """Address of the server."""
        return f"http://127.0.0.1:{self.port}"

    def api(self, path: str, method: str = "GET") -> Any:
        """Ask the server's REST interface."""
        with urllib.request.urlopen(
            urllib.request.Request(f"{self.url}/api/{path}", method=method), timeout=10
        ) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def _wait(self) -> None:
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(
                    "JupyterLab ended at once: " + (self.folder / ".lab.log").read_text(encoding="utf-8")[-2000:]
                )
            try:
                self.api("status")
                return
            except OSError:
                time.sleep(0.2)
        raise RuntimeError("JupyterLab did not start in time")

    def notebook(self, page: Any, cells: Sequence[str], name: str = "test") -> Notebook:
        """Write a notebook, open it alone in the page, run it from top to bottom."""
        for session in self.api("sessions"):  # an old kernel's widgets must not come back
            self.api(f"sessions/{session['id']}", "DELETE")
        content = notebook_content(cells)
        (self.folder / f"{name}.ipynb").write_text(json.dumps(content), encoding="utf-8")
        page.goto(f"{self.url}/doc/tree/{name}.ipynb?reset", timeout=60_000)
        notebook = Notebook(self, page)
        notebook.run_all()
        return notebook

    def close(self) -> None:
        """End the server and its kernels."""
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._log.close()


class Notebook:
    """A notebook open in a page."""

    def __init__(self, lab: Lab, page: Any) -> None:
        self.lab, self.page = lab, page
        self._client: BlockingKernelClient | None = None

    def run_all(self) -> None:
        """Run every cell."""
        self.page.wait_for_function(
            "window.jupyterapp && document.querySelector('.jp-Notebook .jp-Cell')", timeout=60_000
        )
        self.page.evaluate(RUN_ALL)

    def widget(self, number: int = 0) -> Any:
        """Give the root element of a widget once it is drawn."""
        root = self.page.locator(".spa").nth(number)
        root.wait_for(state="visible", timeout=60_000)
        return root

    def python(self, expression: str) -> Any:
        """Evaluate an expression in the notebook's kernel and give its value through JSON."""
        client = self._connect()
        reply = client.execute_interactive(
            "",
            user_expressions={"value": f"__import__('json').dumps({expression})"},
            silent=True,
            store_history=False,
            timeout=30,
        )
        value = reply["content"]["user_expressions"]["value"]
        if value["status"] != "ok":
            raise AssertionError(f"{expression}: {value['ename']}: {value['evalue']}")
        return json.loads(eval(value["data"]["text/plain"]))  # the repr of a JSON string

    def wait_python(self, expression: str, wanted: Any, timeout_s: float = 10.0) -> Any:
        """Wait until an expression in the kernel has the wanted value; fails with the last one."""
        deadline = time.monotonic() + timeout_s
        value = self.python(expression)
        while value != wanted and time.monotonic() < deadline:
            time.sleep(0.1)
            value = self.python(expression)
        assert value == wanted, f"{expression} is {value!r}, expected {wanted!r}"
        return value

    def _connect(self) -> BlockingKernelClient:
        if self._client is None:
            kernel = self.lab.api("sessions")[0]["kernel"]["id"]
            client = BlockingKernelClient(connection_file=str(self.lab.runtime / f"kernel-{kernel}.json"))
            client.load_connection_file()
            client.start_channels()
            client.wait_for_ready(timeout=30)
            self._client = client
        return self._client

    def close(self) -> None:
        """Drop the connection to the kernel."""
        if self._client is not None:
            self._client.stop_channels()
