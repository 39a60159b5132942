"""A process of its own that shows a napari model: drawing cannot hold up the kernel, nor take it down."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError

START_S = 90.0


class Companion:
    """Start a module as a process and talk with it over a private socket.

    Parameters
    ----------
    module : str
        Module whose ``main()`` calls :func:`connect`.
    heard : callable
        Called on a thread of the companion with everything that the process sends; with None when it has ended.
    environment : mapping
        Variables that the process needs besides those of this one.
    """

    def __init__(self, module: str, heard: Callable[[Any], None], environment: Mapping[str, str]) -> None:
        self._heard = heard
        key = secrets.token_bytes(32)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        with Listener(authkey=key) as listener:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(listener.address)],
                stdin=subprocess.PIPE, stdout=self._errors, stderr=self._errors,
                env={**os.environ, **environment, "PYTHONPATH": _search_path()},
            )  # fmt: skip
            assert self._process.stdin is not None
            self._process.stdin.write(key)
            self._process.stdin.close()
            self._connection = self._accepted(listener)
        self._send_lock = threading.Lock()
        threading.Thread(target=self._listen, name=f"hear {module}", daemon=True).start()

    def _accepted(self, listener: Listener) -> Connection:
        """Wait until the process calls; one that ends before that says why."""
        found: list[Connection] = []

        def wait() -> None:
            try:
                found.append(listener.accept())
            except OSError:
                return

        waiting = threading.Thread(target=wait, daemon=True)
        waiting.start()
        for _ in range(int(START_S / 0.1)):
            waiting.join(0.1)
            if found:
                return found[0]
            if self._process.poll() is not None:
                raise UserError(f"napari's drawing did not start: {self.last_words()}")
        self._process.kill()
        raise UserError(f"napari's drawing did not start within {START_S:.0f} s; the machine may be too busy")

    def send(self, message: Any) -> bool:
        """Send a message; gives False when the process is gone."""
        try:
            with self._send_lock:
                self._connection.send(message)
        except (OSError, ValueError):
            return False
        return True

    def _listen(self) -> None:
        try:
            while True:
                self._heard(self._connection.recv())
        except (EOFError, OSError):
            self._heard(None)

    def last_words(self) -> str:
        """Give the last line that the process wrote."""
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it gave no reason"

    def close(self) -> None:
        """End the process."""
        self.send(("close",))
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(3)
        self._connection.close()


def connect() -> Connection:
    """Call the kernel: what a companion's ``main()`` does first."""
    key = sys.stdin.buffer.read(32)
    return Client(sys.argv[1], authkey=key)


def _search_path() -> str:
    root = str(Path(__file__).parents[3])
    return os.pathsep.join([root, *(part for part in [os.environ.get("PYTHONPATH")] if part)])
