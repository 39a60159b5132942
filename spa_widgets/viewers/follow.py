"""A thread that keeps a widget fresh while jobs go on, whatever the notebook's cells do."""

from __future__ import annotations

import logging
import threading
import weakref
from typing import Any

_BUSY_S, _IDLE_S = 0.4, 2.0
_log = logging.getLogger(__name__)


def follow(widget: Any) -> threading.Event:
    """Call a widget's ``refresh()`` again and again until the event is set or the widget is forgotten.

    ``refresh`` tells whether anything is still going on: then it is called more often.
    """
    stop = threading.Event()
    name = f"follow {type(widget).__name__}"
    threading.Thread(target=_pump, args=(weakref.ref(widget), stop), name=name, daemon=True).start()
    return stop


def _pump(found: weakref.ref[Any], stop: threading.Event) -> None:
    pause = _BUSY_S
    while not stop.wait(pause):
        alive = found()
        if alive is None:
            return
        try:
            pause = _BUSY_S if alive.refresh() else _IDLE_S
        except Exception:  # a moment's trouble with the disk must not end the view
            _log.debug("following jobs", exc_info=True)
            pause = _IDLE_S
        del alive
