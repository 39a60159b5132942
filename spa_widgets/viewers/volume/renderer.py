"""The kernel's side of napari's drawing: what is asked for, one picture in flight, the newest state only."""

from __future__ import annotations

import ctypes.util
import importlib.util
import itertools
import sys
import threading
from collections.abc import Callable
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.viewers.volume.companion import Companion
from spa_widgets.viewers.volume.mirror import Mirror
from spa_widgets.viewers.volume.render_process import ENVIRONMENT

SEEN_S = 1.5  # a view that does not say that it has shown a picture gets the next one after this time
IDLE_S = 0.35  # a full picture follows when nothing has changed for so long
MOVING_SCALE = 0.6  # pictures while something moves are smaller by this factor, on a processor
PICTURE_S = 120.0
_QT = ("PySide6", "PyQt6", "PyQt5")


def missing_qt() -> str:
    """Give the sentence that says how to get a Qt binding; empty if there is one."""
    if any(importlib.util.find_spec(name) for name in _QT):
        return ""
    return "napari's own drawing needs a Qt binding: pip install 'spa-widgets[napari-render]'"


def missing_parts() -> str:
    """Give the sentence that says how to get what napari's drawing without a screen needs; empty if all is there."""
    if not sys.platform.startswith("linux"):
        return "napari draws without a screen on Linux only (EGL); use renderer='browser' or viewer.open_in_napari()"
    if ctypes.util.find_library("EGL") is None:
        return "napari's drawing without a screen needs EGL: apt-get install libegl1 libgl1 libgl1-mesa-dri"
    return missing_qt()


class Renderer:
    """Draws a napari model in a process of its own and hands on the pictures.

    Every call only notes a wish; one thread sends what is newest, and not before the last picture has been seen.

    Parameters
    ----------
    model : napari.components.ViewerModel
    frame : callable
        Called with number and picture (JPEG, or PNG when exact) of each frame for the views.
    trouble : callable
        Called with a sentence when drawing is not possible.
    """

    def __init__(self, model: Any, frame: Callable[[int, bytes], None], trouble: Callable[[str], None]) -> None:
        self._frame, self._trouble = frame, trouble
        self._wake, self._drawn, self._landed = threading.Event(), threading.Event(), threading.Event()
        self._mirror = Mirror(model, self._wake.set, "k")
        self._wish: dict[str, Any] = {"width_px": 640, "height_px": 480, "zoom": None, "ground": "#ffffff"}
        self._numbers, self._exact = itertools.count(1), dict[int, Any]()
        self._closed = False
        self._companion: Companion | None = None
        self.facts: dict[str, Any] = {}
        self._ready = threading.Event()
        threading.Thread(target=self._work, name="draw with napari", daemon=True).start()

    def want(self, **wish: Any) -> None:
        """Note size (``width_px``, ``height_px``), ``zoom`` and ``ground`` of the pictures that the views show."""
        self._wish = {**self._wish, **wish}
        self._wake.set()

    def seen(self) -> None:
        """Note that the view has shown the last picture."""
        self._landed.set()

    def picture(self, width_px: int, height_px: int, zoom: float | None = None) -> bytes:
        """Draw now and give a PNG.

        Raises
        ------
        UserError
            When napari cannot draw.
        """
        self._ready.wait(PICTURE_S)
        if self._companion is None:
            raise UserError(self.facts.get("trouble", "napari's drawing has ended; show the viewer again"))
        number, done = next(self._numbers), threading.Event()
        self._exact[number] = [done, None]
        wish = {**self._wish, "width_px": width_px, "height_px": height_px, "zoom": zoom, "exact": True}
        self._companion.send(("changes", self._mirror.take()))
        self._companion.send(("draw", {**wish, "number": number}))
        if not done.wait(PICTURE_S):
            raise UserError(f"napari did not draw within {PICTURE_S:.0f} s; use fewer or smaller layers")
        answer = self._exact.pop(number)[1]
        if isinstance(answer, str):
            raise UserError(f"napari could not draw this: {answer}")
        return bytes(answer)

    def close(self) -> None:
        """End the process."""
        self._closed = True
        self._wake.set()
        self._landed.set()
        if self._companion is not None:
            self._companion.close()

    def _heard(self, message: Any) -> None:
        if message is None:
            self._companion = None if not self._closed else self._companion
            self._drawn.set()
            self._landed.set()
            self._wake.set()
            return
        what, *rest = message
        if what == "ready":
            self.facts = dict(rest[0])
            self._ready.set()
        elif what == "failed":
            self.facts = {"trouble": f"napari cannot draw here: {rest[0]}"}
            self._ready.set()
        elif rest[0] in self._exact:
            self._exact[rest[0]][1] = rest[1]
            self._exact[rest[0]][0].set()
        elif what == "frame":
            self._drawn.set()
            self._frame(rest[0], rest[1])
        else:
            self._drawn.set()
            self._landed.set()
            self._trouble(f"napari could not draw this: {rest[1]}")

    def _work(self) -> None:
        try:
            self._companion = Companion("spa_widgets.viewers.volume.render_process", self._heard, ENVIRONMENT)
        except UserError as problem:
            self.facts = {"trouble": str(problem)}
            self._ready.set()
            self._trouble(str(problem))
            return
        self._companion.send(("changes", self._mirror.everything()))
        self._ready.wait(PICTURE_S)
        if "trouble" in self.facts:
            self._companion = None
            self._trouble(self.facts["trouble"])
            return
        self._wake.set()
        while not self._closed and self._companion is not None:
            self._step()

    def _step(self) -> None:
        """Send the newest state, small while it moves; then, when it rests, a full picture."""
        self._wake.wait()
        while self._wake.is_set() and not self._closed:
            self._wake.clear()
            small = MOVING_SCALE if self.facts.get("in_software") else 1.0
            self._draw(small, quality=70)
            self._wake.wait(IDLE_S)
        if not self._closed:
            self._draw(1.0, quality=88)

    def _draw(self, scale: float, quality: int) -> None:
        companion = self._companion
        if companion is None:
            return
        wish = dict(self._wish)
        zoom = wish["zoom"]
        self._drawn.clear()
        self._landed.clear()
        companion.send(("changes", self._mirror.take()))
        smaller = {name: max(16, round(wish[name] * scale)) for name in ("width_px", "height_px")}
        wish |= {**smaller, "number": next(self._numbers), "quality": quality}
        wish["zoom"] = None if zoom is None else zoom * scale
        companion.send(("draw", wish))
        self._drawn.wait(PICTURE_S)
        self._landed.wait(SEEN_S)
