"""Shows a napari model in desktop napari: started by :class:`desktop.DesktopWindow`."""

from __future__ import annotations

import importlib
from multiprocessing.connection import Connection
from typing import Any

from spa_widgets.viewers.volume.companion import connect
from spa_widgets.viewers.volume.mirror import Mirror

POLL_MS = 30


class _Window:
    """A napari window and its line to the kernel, looked at by a timer of Qt's event loop."""

    def __init__(self, connection: Connection) -> None:
        import napari

        self._connection = connection
        self._viewer = napari.Viewer(ndisplay=3)
        self._changed = False
        self._fitted = False
        self._mirror = Mirror(self._viewer, self._wake, "d", without=("zoom",))
        self._timer = _qt_core().QTimer()
        self._timer.timeout.connect(self._look)
        self._timer.start(POLL_MS)

    def _wake(self) -> None:
        self._changed = True

    def _look(self) -> None:
        try:
            while self._connection.poll():
                self._do(*self._connection.recv())
            if self._changed:
                self._changed = False
                messages = self._mirror.take()
                if messages:
                    self._connection.send(("changes", messages))
        except (EOFError, OSError):  # the kernel is gone
            self._viewer.close()

    def _do(self, what: str, *rest: Any) -> None:
        if what == "close":
            self._viewer.close()
            return
        messages = list(rest[0])
        for message in [each for each in messages if each[0] == "title"]:
            self._viewer.title = message[1]
            messages.remove(message)
        self._mirror.apply(messages)
        if not self._fitted:
            self._fitted = True
            self._viewer.fit_to_view()


def _qt_core() -> Any:
    return importlib.import_module("qtpy.QtCore")


def main() -> None:
    """Show the window until it, or the kernel, is closed."""
    connection = connect()
    import napari

    window = _Window(connection)
    connection.send(("ready", {}))
    napari.run()
    del window


if __name__ == "__main__":
    main()
