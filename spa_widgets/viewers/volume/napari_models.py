"""napari's models without what only drawing needs: they work on servers that have no font library."""

from __future__ import annotations

import sys
from ctypes.util import find_library
from types import ModuleType
from typing import Any, NoReturn

from spa_widgets.errors import UserError

_FONTS = "vispy.ext.fontconfig"


def viewer_model(ndisplay: int) -> Any:
    """Give an empty napari ViewerModel that shows 2 or 3 dimensions."""
    _do_without_fonts()
    from napari.components import ViewerModel

    return ViewerModel(ndisplay=ndisplay)


def _do_without_fonts() -> None:
    """Put a stand-in where vispy looks for fonts, if there is no font library.

    Models take nothing but names of colours from vispy, whose import fails on Linux without fontconfig.
    """
    if sys.platform in ("darwin", "win32") or "vispy" in sys.modules or find_library("fontconfig"):
        return
    stand_in: Any = ModuleType(_FONTS)
    stand_in.find_font = stand_in._list_fonts = _no_fonts
    sys.modules[_FONTS] = stand_in


def _no_fonts(*_: Any) -> NoReturn:
    raise UserError(
        "napari draws text with fontconfig, which this machine does not have; install it (Debian: apt-get install "
        'fontconfig), or let the browser draw: renderer="browser".'
    )
