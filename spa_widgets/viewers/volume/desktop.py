"""The kernel's side of desktop napari: a window on the kernel's own machine that shows the same model."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.viewers.volume.companion import Companion
from spa_widgets.viewers.volume.mirror import Mirror
from spa_widgets.viewers.volume.renderer import PICTURE_S, missing_qt


class DesktopWindow:
    """Desktop napari in a process of its own that shows a model; both sides see each other's changes.

    Parameters
    ----------
    model : napari.components.ViewerModel
    lock : context manager
        Held while changes that were made in the window are applied.
    title : str
        Title of the window.

    Raises
    ------
    UserError
        When there is no screen or no Qt binding.
    """

    def __init__(self, model: Any, lock: Any, title: str) -> None:
        problem = missing_qt() or _no_screen()
        if problem:
            raise UserError(problem)
        self._lock = lock
        self._wake = threading.Event()
        self._mirror = Mirror(model, self._wake.set, "k", without=("zoom",))
        self._ready = threading.Event()
        self.problem = ""
        self.is_open = True
        self._companion = Companion("spa_widgets.viewers.volume.desktop_process", self._heard, {})
        self._companion.send(("changes", [("title", title), *self._mirror.everything()]))
        self._ready.wait(PICTURE_S)
        if self.problem:
            raise UserError(self.problem)
        threading.Thread(target=self._work, name="tell desktop napari", daemon=True).start()

    def close(self) -> None:
        """Close the window."""
        self.is_open = False
        self._wake.set()
        self._companion.close()

    def _heard(self, message: Any) -> None:
        if message is None:
            self.is_open = False
            if not self._ready.is_set():
                self.problem = f"desktop napari did not start: {self._companion.last_words()}"
            self._ready.set()
            self._wake.set()
        elif message[0] == "ready":
            self._ready.set()
        elif message[0] == "changes":
            with self._lock:
                self._mirror.apply(message[1])

    def _work(self) -> None:
        while self.is_open:
            self._wake.wait()
            self._wake.clear()
            messages = self._mirror.take()
            if messages and not self._companion.send(("changes", messages)):
                return
            time.sleep(0.02)


def _no_screen() -> str:
    if not sys.platform.startswith("linux") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return ""
    return (
        "desktop napari needs a screen and the kernel's machine has none (DISPLAY is not set); "
        'look here with renderer="browser" or "napari"'
    )
