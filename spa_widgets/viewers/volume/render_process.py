"""Draws a napari model without a screen and sends pictures: started by :class:`renderer.Renderer`."""

from __future__ import annotations

import logging
import os
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

from spa_widgets.viewers.encode import JPEG, PNG, encode
from spa_widgets.viewers.volume.companion import connect
from spa_widgets.viewers.volume.mirror import Mirror

# Qt only shapes napari's text; nothing opens a window
ENVIRONMENT = {"QT_QPA_PLATFORM": "offscreen", "PYOPENGL_PLATFORM": "egl", "EGL_PLATFORM": "surfaceless"}


class _Drawing:
    """The model, its canvas, and the last wish for a picture."""

    def __init__(self) -> None:
        from napari.components import ViewerModel

        from spa_widgets.viewers.volume.napari_scene import NapariScene

        self._model = ViewerModel(ndisplay=3)
        self._mirror = Mirror(self._model, lambda: None, "r")
        self._scene = NapariScene(self._model)
        self.facts = {"renderer": self._scene.renderer, "in_software": self._scene.in_software}

    def apply(self, messages: Any) -> None:
        self._mirror.apply(messages)

    def picture(self, wish: dict[str, Any]) -> tuple[bytes, float]:
        """Draw and encode; gives the picture and the seconds it took."""
        start = time.perf_counter()
        self._scene.set_ground(wish["ground"])
        pixels = self._scene.draw(wish["width_px"], wish["height_px"], wish["zoom"])
        mime = PNG if wish.get("exact") else JPEG
        return encode(pixels, mime, wish.get("quality", 85)), time.perf_counter() - start


def main() -> None:
    """Serve one kernel until it goes."""
    logging.disable(logging.WARNING)
    os.environ.update(ENVIRONMENT)
    connection = connect()
    try:
        drawing = _Drawing()
    except Exception as problem:
        connection.send(("failed", f"{type(problem).__name__}: {problem}"))
        return
    connection.send(("ready", drawing.facts))
    try:
        while _serve(connection, drawing):
            pass
    except (EOFError, OSError):  # the kernel is gone
        sys.exit(0)


def _serve(connection: Connection, drawing: _Drawing) -> bool:
    """Take everything that waits, then draw the last wish: what a view asked before it nobody wants to see any more."""
    exact: list[dict[str, Any]] = []
    latest: list[dict[str, Any]] = []
    asked = [connection.recv()]
    while connection.poll():
        asked.append(connection.recv())
    for what, *rest in asked:
        if what == "close":
            return False
        if what == "changes":
            drawing.apply(rest[0])
        elif what == "draw":
            if rest[0].get("exact"):  # somebody waits for this very picture
                exact.append(rest[0])
            else:
                latest = [rest[0]]
    for wish in [*exact, *latest]:
        try:
            picture, took_s = drawing.picture(wish)
            connection.send(("frame", wish["number"], picture, took_s))
        except Exception as problem:
            connection.send(("trouble", wish["number"], f"{type(problem).__name__}: {problem}"))
    return True


if __name__ == "__main__":
    main()
