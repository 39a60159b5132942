"""ImageViewer: napari's flat view in the notebook, for micrographs with picks and for stacks."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spa_widgets.errors import UserError
from spa_widgets.viewers.base import Answer, bundle
from spa_widgets.viewers.encode import JPEG, PNG, encode, img_tag
from spa_widgets.viewers.flat.state import FlatState, is_image
from spa_widgets.viewers.overlay import draw_circles

EXACT_PX = 512  # smaller pictures are sent without loss


class ImageViewer(FlatState):
    """Look at a micrograph with its picks, or at the pictures of a stack one after the other.

    ``viewer.layers`` and ``viewer.dims`` are napari's own objects: what is changed there is seen in the browser and the
    other way round, as in ``viewer.layers["micrograph"].contrast_limits = (-2, 2)`` or ``viewer.dims.set_point(0, 5)``.
    The topmost visible image is drawn, and all visible points. Everything is in px: a point is (y, x), or
    (number, y, x) in a stack.

    Parameters
    ----------
    source : job, output of a job, path, or array
        Micrographs, class averages or particles: a job, a STAR file, ``.mrc``, ``.mrcs``, names with a wildcard;
        or an array of shape (h, w) or (n, h, w).
    picks : job, path, mapping of micrograph name to positions, or array of shape (m, 2), optional
        Positions x, y in px, shown as the layer ``"picks"``; an array belongs to the first picture.
    name : str, optional
        Of the layer: ``"micrograph"``, ``"classes"``, ``"particles"`` or ``"images"`` if not given.
    pixel_size_A : float, optional
        Å per px where the files do not say it.
    low_pass_A : float, optional
        Resolution limit of what is seen; 20 for micrographs, 0 (none) for stacks if not given.
    **options
        ``diameter_A`` of the circles (160), ``current`` (number of the picture, from 0), ``language``.
    """

    _esm = bundle("flat")

    # ---- napari's API --------------------------------------------------------------------------------------------
    @property
    def model(self) -> Any:
        """The napari ViewerModel."""
        self._need()
        return self._model

    @property
    def layers(self) -> Any:
        """Napari's list of layers."""
        return self.model.layers

    @property
    def dims(self) -> Any:
        """Napari's dimension sliders: the first is the slider through a stack."""
        return self.model.dims

    def add_points(self, data: Any, **options: Any) -> Any:
        """Add points by napari's ``add_points``: places (y, x), or (number, y, x) in a stack, in px."""
        return self.model.add_points(data, **options)

    def add_image(self, data: Any, **options: Any) -> Any:
        """Add a picture by napari's ``add_image``; the topmost visible one is drawn."""
        return self.model.add_image(data, **options)

    # ---- what the keys do ------------------------------------------------------------------------------------------
    def show(self, which: int | str) -> None:
        """Go to a picture by its number (from 0), or to a micrograph by its name."""
        self._need()
        if isinstance(which, str):
            if self._found.micrographs is None:
                raise UserError(f"these pictures have no names; give a number from 0 to {self.count - 1}")
            which = self._found.micrographs.index(which)
        if not 0 <= which < self.count:
            raise UserError(f"there is no picture {which}; there are 0 to {self.count - 1}")
        self.current = which

    def next(self) -> None:
        """Go to the next picture."""
        self._need()
        self.current = min(self.current + 1, self.count - 1)

    def previous(self) -> None:
        """Go to the picture before."""
        self._need()
        self.current = max(self.current - 1, 0)

    def picture(self) -> NDArray[np.uint8]:
        """Give the present picture as it is drawn, without circles: uint8 (h, w), binned if it is large."""
        self._need()
        low, high = self.contrast
        return self._draw(self.current, low, high, self.low_pass_A)

    def code(self) -> str:
        """Give picture, contrast and what is visible as Python that reproduces them."""
        self._need()
        lines = [f"viewer.show({self.current})", f"viewer.low_pass_A = {self.low_pass_A:.4g}"]
        for layer in self._model.layers:
            lines.append(f"viewer.layers[{layer.name!r}].visible = {bool(layer.visible)}")
            if is_image(layer):
                low, high = layer.contrast_limits
                lines.append(f"viewer.layers[{layer.name!r}].contrast_limits = ({low:.6g}, {high:.6g})")
        return "\n".join(lines)

    def static_html(self) -> str:
        """Give the present picture with its points."""
        picture = self.picture()
        scale = picture.shape[1] / self._size(self.current)[1]
        places = self._points(self.current)
        radius = max(2.0, self._radius_px(self.current) * scale)
        drawn = draw_circles(picture, [(x * scale, y * scale) for x, y, _ in places], radius)
        text = f"{self._title(self.current)}, picture {self.current + 1} of {self.count}; {len(places)} points"
        return img_tag(drawn, text, min(560, 2 * drawn.shape[1])) + f"<br>{escape(text)}"

    # ---- questions from the views --------------------------------------------------------------------------------
    def _ask_picture(self, index: int, contrast: tuple[float, float], low_pass_A: float) -> Answer:
        self._need()
        low, high = contrast
        picture = self._draw(index, low, high, low_pass_A)
        mime = PNG if max(picture.shape) <= EXACT_PX else JPEG
        height, width = self._size(index)
        facts = {"name": self._title(index), "width": width, "height": height, "mime": mime}
        return {**facts, "pixel_size_A": self._found.size_A(index)}, [encode(picture, mime)]

    def _ask_points(self, index: int) -> Answer:
        self._need()
        return {"radius_px": self._radius_px(index)}, [self._points(index).astype("<f4").tobytes()]

    def _ask_visible(self, name: str, visible: bool) -> dict[str, Any]:
        self.layers[name].visible = visible
        return {}
