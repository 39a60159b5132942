"""VolumeViewer: napari in the notebook. The state is a napari ViewerModel; a WebGL view in the browser draws it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import traitlets

from engine.display import central_slices, shaded_surface, suggested_contour
from spa_widgets.errors import UserError
from spa_widgets.viewers.base import Answer, SpaWidget, bundle
from spa_widgets.viewers.encode import img_tag
from spa_widgets.viewers.volume.model import (
    COLOURS,
    Quantised,
    camera_of,
    colormap,
    colour_of,
    new_model,
    quantise,
    read_volume,
)

_LAYER_EVENTS = ("iso_threshold", "opacity", "visible", "colormap", "name")


class VolumeViewer(SpaWidget):
    """Look at maps in three dimensions.

    ``viewer.layers``, ``viewer.camera`` and ``viewer.dims`` are napari's own objects: what is changed there is seen in
    the browser and the other way round. Levels are in map units:
    ``viewer.layers["map"].iso_threshold = 0.02``.

    Parameters
    ----------
    *volumes : job, output of a job, path, or array of shape (z, y, x)
        The maps. A refinement shows its sharpened map.
    names : sequence of str, optional
        A name for each.
    levels : sequence of float, optional
        Contour level of each in map units; mean + 3 standard deviations if not given.
    colours : sequence of str, optional
        ``#rrggbb`` for each.
    pixel_size_A : float, optional
        Å per voxel where the files do not say it.
    renderer : str
        ``"browser"``. (``"napari"``, drawn by napari itself, belongs to an extra.)
    **options
        ``step`` (contour every n-th voxel), ``draw_as`` ("surface" or "mesh"), ``language``.
    """

    _esm = bundle("volume")
    maps = traitlets.List(traitlets.Dict()).tag(sync=True)
    step = traitlets.Int(1, min=1, max=8).tag(sync=True)
    draw_as = traitlets.Enum(["surface", "mesh"], "surface").tag(sync=True)

    def __init__(
        self,
        *volumes: Any,
        names: Sequence[str] | None = None,
        levels: Sequence[float] | None = None,
        colours: Sequence[str] | None = None,
        pixel_size_A: float | None = None,
        renderer: str = "browser",
        **options: Any,
    ) -> None:
        if renderer != "browser":
            raise UserError(
                f'the renderer {renderer!r} is not installed: it belongs to the extra "napari"; use renderer="browser"'
            )
        if not volumes:
            raise UserError("there is no volume to show; give a job, a file or an array")
        super().__init__(**options)
        self._volumes, self._given = volumes, {"names": names, "levels": levels, "colours": colours}
        self._pixel_size_A = pixel_size_A
        self._quantised: dict[str, Quantised] = {}
        self._ids: dict[int, str] = {}
        self._model: Any = None
        self._when_ready(volumes, self._load)

    def _load(self) -> None:
        model = new_model()
        for place, source in enumerate(self._volumes):
            volume, pixel_size_A, name = read_volume(source, self._pixel_size_A)
            self._add(model, volume, pixel_size_A, self._pick("names", place, name), place)
        self._model = model
        camera_of(model).events.angles.connect(self._camera_changed)
        self._layers_changed()

    def _pick(self, what: str, place: int, default: Any) -> Any:
        given = self._given[what]
        return given[place] if given is not None and place < len(given) else default

    def _add(self, model: Any, volume: Any, pixel_size_A: float, name: str, place: int) -> Any:
        mean, std, level = suggested_contour(volume)
        low, high = float(volume.min()), float(volume.max())
        layer = model.add_image(
            volume, name=name, scale=(pixel_size_A,) * 3, rendering="iso", blending="translucent",
            iso_threshold=float(self._pick("levels", place, level)),
            colormap=colormap(self._pick("colours", place, COLOURS[place % len(COLOURS)])),
            contrast_limits=(low, high if high > low else low + 1),
            metadata={"mean": mean, "std": std, "pixel_size_A": pixel_size_A},
        )  # fmt: skip
        key = f"v{len(self._ids)}"
        self._ids[id(layer)] = key
        self._quantised[key] = quantise(np.asarray(volume, np.float32), pixel_size_A)
        for event in _LAYER_EVENTS:
            getattr(layer.events, event).connect(self._layers_changed)
        return layer

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
    def camera(self) -> Any:
        """Napari's camera."""
        return camera_of(self.model)

    @property
    def dims(self) -> Any:
        """Napari's dimension sliders."""
        return self.model.dims

    def add_volume(
        self, volume: Any, name: str | None = None, level: float | None = None, colour: str | None = None
    ) -> Any:
        """Add a map and give its napari layer."""
        data, pixel_size_A, own = read_volume(volume, self._pixel_size_A)
        place = len(self.model.layers)
        layer = self._add(self._model, data, pixel_size_A, name or own, place)
        if level is not None:
            layer.iso_threshold = float(level)
        if colour is not None:
            layer.colormap = colormap(colour)
        self._layers_changed()
        return layer

    def set(self, name: str, **changes: Any) -> None:
        """Change ``level``, ``sigma``, ``opacity``, ``visible`` or ``colour`` of a map: what the sliders do.

        ``level`` is in map units, ``sigma`` the same in standard deviations above the mean.
        """
        layer = self._layer(name)
        for what, value in changes.items():
            if what == "level":
                layer.iso_threshold = float(value)
            elif what == "sigma":
                layer.iso_threshold = layer.metadata["mean"] + float(value) * layer.metadata["std"]
            elif what == "opacity":
                layer.opacity = min(max(float(value), 0.0), 1.0)
            elif what == "visible":
                layer.visible = bool(value)
            elif what == "colour":
                layer.colormap = colormap(str(value))
            else:
                raise UserError(f"a map has no {what!r}; it has level, sigma, opacity, visible, colour")

    def look_along(self, axis: str) -> None:
        """Look along ``"x"``, ``"y"`` or ``"z"``: what the keys x, y, z do."""
        views = {"z": ((-1, 0, 0), (0, 1, 0)), "y": ((0, 1, 0), (1, 0, 0)), "x": ((0, 0, -1), (1, 0, 0))}
        if axis not in views:
            raise UserError(f"there is no axis {axis!r}; give x, y or z")
        self.camera.set_view_direction(*views[axis])

    def code(self) -> str:
        """Give the levels and looks as Python that reproduces them."""
        lines = [
            f"viewer.set({layer.name!r}, level={layer.iso_threshold:.5g}, opacity={layer.opacity:.3g}, "
            f"visible={layer.visible}, colour={colour_of(layer)!r})"
            for layer in self.layers
            if id(layer) in self._ids
        ]
        view, up = (
            tuple(round(float(v), 4) for v in vector)
            for vector in (self.camera.view_direction, self.camera.up_direction)
        )
        return "\n".join([*lines, f"viewer.camera.set_view_direction({view}, {up})"])

    def static_html(self) -> str:
        """Give each map's surface from three sides, and its central slices."""
        self._need()
        rows = []
        for layer in self.layers:
            if id(layer) not in self._ids or not layer.visible:
                continue
            data = np.asarray(layer.data)
            sides = (data, np.transpose(data, (1, 0, 2))[::-1], np.transpose(data, (2, 0, 1)))
            pictures = [np.asarray(shaded_surface(side, layer.iso_threshold)) for side in sides]
            slices = [picture[::-1] for picture in central_slices(data)]
            width = 150
            images = "".join(img_tag(picture, layer.name, width, quality=80) for picture in [*pictures, *slices])
            rows.append(f"<div><b>{escape(layer.name)}</b>, level {layer.iso_threshold:.4g}<br>{images}</div>")
        return "".join(rows)

    # ---- questions from the views --------------------------------------------------------------------------------
    def _ask_volume(self, key: str) -> Answer:
        self._need()
        found = self._quantised.get(key)
        if found is None:
            raise UserError("this map is no longer in the viewer; reload the page")
        return found.facts(), [found.packed]

    def _ask_set(self, key: str, changes: dict[str, Any]) -> dict[str, Any]:
        layer = next((layer for layer in self.layers if self._ids.get(id(layer)) == key), None)
        if layer is not None:
            self.set(layer.name, **changes)
        return {}

    def _ask_camera(self, view: Sequence[float] | None = None, up: Sequence[float] | None = None) -> dict[str, Any]:
        if view is not None and up is not None:
            self._from_view = True
            try:
                self.camera.set_view_direction(tuple(view[::-1]), tuple(up[::-1]))
            finally:
                self._from_view = False
        return self._camera_state()

    def _camera_state(self) -> dict[str, Any]:
        view, up = self.camera.view_direction, self.camera.up_direction
        return {"view": [float(v) for v in view[::-1]], "up": [float(v) for v in up[::-1]]}

    # ---- changes in Python ---------------------------------------------------------------------------------------
    _from_view = False

    def _camera_changed(self, _event: Any = None) -> None:
        if not self._from_view and self._model is not None:
            self._tell("camera", **self._camera_state())

    def _layers_changed(self, _event: Any = None) -> None:
        if self._model is None:
            return
        self.maps = [self._row(layer) for layer in self._model.layers if id(layer) in self._ids]

    def _row(self, layer: Any) -> dict[str, Any]:
        return {
            "id": self._ids[id(layer)], "name": layer.name, "level": float(layer.iso_threshold),
            "opacity": float(layer.opacity), "visible": bool(layer.visible), "colour": colour_of(layer),
            "mean": layer.metadata["mean"], "std": layer.metadata["std"],
        }  # fmt: skip

    def _layer(self, name: str) -> Any:
        names = [layer.name for layer in self.layers]
        if name not in names:
            raise UserError(f"there is no map {name!r}; there are {', '.join(names)}")
        return self.layers[name]
