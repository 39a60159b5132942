"""Who draws a volume viewer: the browser, napari without a screen, or desktop napari beside either."""

from __future__ import annotations

from typing import Any

import traitlets

from spa_widgets.errors import UserError
from spa_widgets.viewers.volume.desktop import DesktopWindow
from spa_widgets.viewers.volume.renderer import Renderer, missing_parts
from spa_widgets.viewers.volume.state import NapariState

RENDERERS = ("browser", "napari")


class Drawing(NapariState):
    """The renderers of the viewer and what the views ask of them."""

    renderer = traitlets.Unicode("browser").tag(sync=True)
    notice = traitlets.Unicode("").tag(sync=True)

    _napari: Renderer | None = None
    _window: DesktopWindow | None = None

    def _set_renderer(self, name: str) -> None:
        if name not in RENDERERS:
            raise UserError(f"there is no renderer {name!r}; give {' or '.join(RENDERERS)}")
        problem = missing_parts() if name == "napari" else ""
        self.notice = f"{problem}; the browser draws instead" if problem else ""
        self.renderer = "browser" if problem else name
        if self.renderer == "browser" and self._napari is not None:
            self._napari.close()
            self._napari = None

    def draw_with(self, renderer: str) -> None:
        """Let ``"browser"`` or ``"napari"`` draw: what the choice in the bar does."""
        self._set_renderer(renderer)

    def _needed(self) -> Renderer:
        if self._napari is None:
            problem = missing_parts()
            if problem:
                raise UserError(problem)
            self._napari = Renderer(self.model, self._framed, self._trouble)
        return self._napari

    def _framed(self, number: int, picture: bytes) -> None:
        self._tell("frame", [picture], number=number)

    def _trouble(self, sentence: str) -> None:
        self.notice = sentence

    def screenshot(self, width_px: int = 800, height_px: int = 600, zoom: float | None = None) -> bytes:
        """Have napari draw the present state and give a PNG, with or without a view.

        Parameters
        ----------
        width_px, height_px : int
            Size of the picture.
        zoom : float, optional
            Pixels for one Å; everything fits if not given.

        Raises
        ------
        UserError
            When napari cannot draw here; the sentence says what to install.
        """
        self._need()
        return self._needed().picture(width_px, height_px, zoom)

    def open_in_napari(self) -> None:
        """Open desktop napari, on the kernel's machine, with the same model; both see each other's changes.

        Raises
        ------
        UserError
            When that machine has no screen or no Qt.
        """
        self._need()
        if self._window is None or not self._window.is_open:
            title = ", ".join(shown.name for shown in self._shown) or "maps"
            self._window = DesktopWindow(self.model, self._lock, title)

    def close(self) -> None:
        """Close views, napari's process and its window."""
        for each in (self._napari, self._window):
            if each is not None:
                each.close()
        self._napari = self._window = None
        super().close()

    # ---- questions from the views --------------------------------------------------------------------------------
    def _ask_frames(self, **wish: Any) -> dict[str, Any]:
        """Note what size a view has; pictures come as events."""
        self._needed().want(**wish)
        return {}

    def _ask_seen(self, number: int) -> dict[str, Any]:
        if self._napari is not None:
            self._napari.seen()
        return {}

    def _ask_renderer(self, name: str) -> dict[str, Any]:
        self.draw_with(name)
        return {}

    def _ask_desktop(self) -> dict[str, Any]:
        self.open_in_napari()
        return {}
