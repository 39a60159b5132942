"""napari's models without what only drawing needs: they work on servers that have neither fonts nor OpenGL."""

from __future__ import annotations

import sys
from ctypes.util import find_library
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from spa_widgets.errors import UserError

_FONTS, _OPENGL = "vispy.ext.fontconfig", "vispy.gloo.gl.es2"


def viewer_model(ndisplay: int) -> Any:
    """Give an empty napari ViewerModel that shows 2 or 3 dimensions."""
    _do_without_what_draws()
    from napari.components import ViewerModel

    return ViewerModel(ndisplay=ndisplay)


def _do_without_what_draws() -> None:
    """Put stand-ins where vispy looks for libraries of the system that are not there.

    Models take nothing but names of colours from vispy, whose import fails on Linux without fontconfig and OpenGL.
    """
    if sys.platform in ("darwin", "win32") or "vispy" in sys.modules:
        return
    if not find_library("fontconfig"):
        fonts: Any = ModuleType(_FONTS)
        fonts.find_font = fonts._list_fonts = _cannot_draw
        sys.modules[_FONTS] = fonts
    if not (find_library("GL") or find_library("GLESv2")):
        sys.meta_path.insert(0, _NoOpenGL())


class _NoOpenGL:
    """Finds vispy's own backend that draws nothing where it looks for the system's OpenGL."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if name != _OPENGL:
            return None
        return spec_from_file_location(name, Path(path[0]) / "dummy.py")


def _cannot_draw(*_: Any) -> NoReturn:
    raise UserError(
        "napari draws text with fontconfig, which this machine does not have; install it (Debian: apt-get install "
        'fontconfig), or let the browser draw: renderer="browser".'
    )
