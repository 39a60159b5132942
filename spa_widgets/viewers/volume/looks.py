"""How maps look: level, colour, a plane that cuts them, colours of a second map, axes of symmetry."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.volume_view import axis_surface, colour_range, height, reach_px, symmetry_axes, unit_vector
from spa_widgets.errors import UserError
from spa_widgets.viewers.volume.drawing import Drawing
from spa_widgets.viewers.volume.model import colormap

CHANGES = ("level", "sigma", "opacity", "visible", "colour", "style", "contrast", "clip", "colour_by")
# colours of a second map, dark to bright, told apart by every eye (viridis)
STOPS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
_HEX = re.compile("#[0-9a-fA-F]{6}")
_AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}


class Looks(Drawing):
    """What the list, the sliders and the bar of the view do, as methods."""

    def set(self, name: str, **changes: Any) -> None:
        """Change the looks of a map: what the list and the sliders do.

        ``level`` is in map units, ``sigma`` the same in standard deviations above the mean; ``style`` is surface or
        mesh, ``contrast`` the map values of black and white in the slices; further
        ``opacity``, ``visible``, ``colour``.
        """
        self._need()
        found = self._find(name)
        wrong = [what for what in changes if what not in CHANGES]
        if wrong:
            raise UserError(f"a map has no {wrong[0]!r}; it has {', '.join(CHANGES)}")
        if not _HEX.fullmatch(str(changes.get("colour", "#000000"))):
            self.model  # noqa: B018 - napari knows colours by name
        with self._lock:
            for what, value in changes.items():
                self._change(found, what, value)
            self._refresh()

    def colour_by(
        self, name: str, other: str | None, low: float | None = None, high: float | None = None,
        stops: Sequence[str] = STOPS,
    ) -> None:  # fmt: skip
        """Colour a map by the values of another one, such as its local resolution; ``None`` gives its own colour back.

        Parameters
        ----------
        name, other : str
            The map that is drawn and the map whose values colour it (it may be hidden).
        low, high : float, optional
            Values of the first and the last colour; the other map's 2 and 98 % quantiles on the surface if not given.
        stops : sequence of str
            Colours ``#rrggbb`` from low to high.
        """
        self._need()
        if other is None:
            self.set(name, colour_by=None)
            return
        shown, values = self._find(name), self._find(other)
        if shown.volume.shape != values.volume.shape:
            raise UserError(
                f"{other!r} has the shape {values.volume.shape} and {name!r} {shown.volume.shape}; "
                "give a map on the same grid"
            )
        ends = colour_range(shown.volume, shown.level, values.volume)
        wanted = (float(ends[0] if low is None else low), float(ends[1] if high is None else high))
        if not wanted[0] < wanted[1]:
            wanted = (wanted[0] - 0.5, wanted[0] + 0.5)
        self.set(name, colour_by={"by": other, "range": list(wanted), "stops": list(stops)})

    def clip(self, axis: str | Sequence[float] | None, at_A: float = 0.0, names: Sequence[str] | None = None) -> None:
        """Cut maps open: what lies beyond ``at_A`` from the centre along an axis is not drawn.

        Parameters
        ----------
        axis : str or sequence of float, optional
            ``"x"``, ``"y"``, ``"z"``, one of these with a minus for the other half, or a direction x, y, z; ``None``
            shows everything again.
        at_A : float
            Distance of the plane from the centre of the map along the axis.
        names : sequence of str, optional
            Maps to cut; all if not given.
        """
        self._need()
        for shown in list(self._shown):
            if names is not None and shown.name not in names:
                continue
            if axis is None:
                self.set(shown.name, clip=None)
                continue
            normal = -_direction(axis)
            centre = np.array(shown.origin) + shown.pixel_size_A * (np.array(shown.volume.shape[::-1]) // 2)
            self.set(shown.name, clip=(*normal.tolist(), height(normal, centre) - at_A))

    def show_symmetry(self, name: str) -> Any:
        """Draw the axes of a point group (``"C8"``, ``"D2"``, ``"O"`` …) through the centre; gives napari's layer."""
        self._need()
        shown = self._shown[0]
        for old in [layer for layer in self.model.layers if layer.metadata.get("symmetry")]:
            self.model.layers.remove(old)
        try:
            axes = symmetry_axes(name)
        except ValueError as problem:
            raise UserError(str(problem)) from problem
        if not axes:
            return None
        sides = np.array(shown.volume.shape[::-1])
        centre = np.array(shown.origin) + shown.pixel_size_A * (sides // 2)
        length_A = reach_px(shown.volume, shown.level) * shown.pixel_size_A * 1.25
        gold = colormap("#f0b400", "#f0b400")
        vertices, triangles, folds = axis_surface(axes, centre, length_A)
        return self.model.add_surface(
            (vertices[:, ::-1], triangles, folds), name=f"{name} axes", colormap=gold, shading="smooth",
            metadata={"symmetry": name},
        )  # fmt: skip

    def cut_at(self, z_A: float, y_A: float, x_A: float) -> None:
        """Move the three slices to a place: what a click into one of them does."""
        self.cut = [float(x_A), float(y_A), float(z_A)]

    # ---- questions from the views --------------------------------------------------------------------------------
    def _ask_set(self, key: str, changes: dict[str, Any]) -> dict[str, Any]:
        self._need()
        found = next((shown for shown in self._shown if shown.key == key), None)
        if found is not None:
            self.set(found.name, **changes)
        elif key in self._object_of:
            for what in ("visible", "opacity"):
                if what in changes:
                    setattr(self._object_of[key], what, changes[what])
        return {}

    def _ask_clip(self, axis: str | None, at_A: float) -> dict[str, Any]:
        self.clip(axis, at_A)
        return {}

    def _ask_colour_by(self, key: str, other: str | None) -> dict[str, Any]:
        found = next((shown for shown in self._shown if shown.key == key), None)
        if found is not None:
            self.colour_by(found.name, other)
        return {}

    def _ask_symmetry(self, name: str) -> dict[str, Any]:
        self.show_symmetry(name or "C1")
        return {}


def _direction(axis: str | Sequence[float]) -> Any:
    if isinstance(axis, str):
        if axis.lstrip("-") not in _AXES:
            raise UserError(f"there is no axis {axis!r}; give x, y, z, -x, -y, -z or a direction x, y, z")
        return np.array(_AXES[axis.lstrip("-")]) * (-1.0 if axis.startswith("-") else 1.0)
    try:
        return unit_vector(axis)
    except ValueError as problem:
        raise UserError(str(problem)) from problem
