"""VolumeViewer: napari in the notebook. The state is a napari ViewerModel; a WebGL view in the browser draws it."""

from __future__ import annotations

import re
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
    Shown,
    camera_of,
    colormap,
    new_model,
    quantise,
    read_volume,
)

Vector = tuple[float, float, float]

_CHANGES = ("level", "sigma", "opacity", "visible", "colour")
_HEX = re.compile("#[0-9a-fA-F]{6}")
# view direction and what is up, both z, y, x as napari has them
_VIEWS: dict[str, tuple[Vector, Vector]] = {
    "z": ((-1, 0, 0), (0, 1, 0)), "y": ((0, 1, 0), (1, 0, 0)), "x": ((0, 0, -1), (1, 0, 0)),
}  # fmt: skip
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
    visible : sequence of bool, optional
        Which are shown at first; all if not given. The others wait in the list for a tick.
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
        visible: Sequence[bool] | None = None,
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
        self._volumes, self._given = volumes, {"names": names, "levels": levels, "colours": colours, "visible": visible}
        self._pixel_size_A = pixel_size_A
        self._shown: list[Shown] = []
        self._quantised: dict[str, Quantised] = {}
        self._layer_of: dict[str, Any] = {}
        self._added = 0
        self._direction: tuple[Vector, Vector] = _VIEWS["z"]
        self._model: Any = None
        self._when_ready(volumes, self._load)

    def _load(self) -> None:
        for place, source in enumerate(self._volumes):
            volume, pixel_size_A, name = read_volume(source, self._pixel_size_A)
            self._add(volume, pixel_size_A, self._pick("names", place, name), place)
        self._refresh()

    def _pick(self, what: str, place: int, default: Any) -> Any:
        given = self._given[what]
        return given[place] if given is not None and place < len(given) else default

    def _add(self, volume: Any, pixel_size_A: float, name: str, place: int) -> Shown:
        mean, std, level = suggested_contour(volume)
        used = {shown.name for shown in self._shown}
        names = (name if not count else f"{name} [{count}]" for count in range(len(used) + 1))
        shown = Shown(
            f"v{self._added}", next(each for each in names if each not in used), volume, pixel_size_A,
            float(self._pick("levels", place, level)), self._pick("colours", place, COLOURS[place % len(COLOURS)]),
            mean, std, visible=bool(self._pick("visible", place, True)),
        )  # fmt: skip
        self._added += 1
        self._quantised[shown.key] = quantise(np.asarray(volume, np.float32), pixel_size_A)
        self._shown.append(shown)
        if self._model is not None:
            self._make_layer(shown)
        return shown

    def _make_layer(self, shown: Shown) -> None:
        layer = shown.add_to(self._model)
        self._layer_of[shown.key] = layer
        for event in _LAYER_EVENTS:
            getattr(layer.events, event).connect(self._layers_changed)

    # ---- napari's API --------------------------------------------------------------------------------------------
    @property
    def model(self) -> Any:
        """The napari ViewerModel; made, and napari imported, when it is first asked for."""
        self._need()
        with self._lock:
            if self._model is None:
                model = new_model()
                self._model = model
                for shown in self._shown:
                    self._make_layer(shown)
                camera_of(model).set_view_direction(*self._direction)  # the first layer had reset it
                camera_of(model).events.angles.connect(self._camera_changed)
                model.layers.events.removed.connect(self._layers_changed)
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
        self.model  # noqa: B018 - a layer needs napari
        data, pixel_size_A, own = read_volume(volume, self._pixel_size_A)
        shown = self._add(data, pixel_size_A, name or own, len(self._shown))
        layer = self._layer_of[shown.key]
        if level is not None:
            layer.iso_threshold = float(level)
        if colour is not None:
            layer.colormap = colormap(colour)
        self._refresh()
        return layer

    def set(self, name: str, **changes: Any) -> None:
        """Change ``level``, ``sigma``, ``opacity``, ``visible`` or ``colour`` of a map: what the sliders do.

        ``level`` is in map units, ``sigma`` the same in standard deviations above the mean.
        """
        self._need()
        found = next((shown for shown in self._shown if shown.name == name), None)
        if found is None:
            raise UserError(f"there is no map {name!r}; there are {', '.join(each.name for each in self._shown)}")
        wrong = [what for what in changes if what not in _CHANGES]
        if wrong:
            raise UserError(f"a map has no {wrong[0]!r}; it has {', '.join(_CHANGES)}")
        if not _HEX.fullmatch(str(changes.get("colour", "#000000"))):
            self.model  # noqa: B018 - napari knows colours by name
        with self._lock:
            for what, value in changes.items():
                self._change(found, what, value)
            self._refresh()

    def _change(self, shown: Shown, what: str, value: Any) -> None:
        """Change a map where its state lives: in napari's layer if there is one."""
        layer = self._layer_of.get(shown.key)
        if layer is not None and what == "colour":
            layer.colormap = colormap(str(value))
            return
        shown.change(what, value)
        if layer is not None:
            layer.iso_threshold, layer.opacity, layer.visible = shown.level, shown.opacity, shown.visible

    def look_along(self, axis: str) -> None:
        """Look along ``"x"``, ``"y"`` or ``"z"``: what the keys x, y, z do."""
        if axis not in _VIEWS:
            raise UserError(f"there is no axis {axis!r}; give x, y or z")
        self._need()
        self._turn(*_VIEWS[axis])

    def _turn(self, view: Vector, up: Vector) -> None:
        if self._model is not None:
            self.camera.set_view_direction(view, up)
            return
        self._direction = (view, up)
        self._camera_changed()

    def _camera(self) -> tuple[Vector, Vector]:
        """Give the view direction and what is up, z, y, x as napari has it."""
        if self._model is None:
            return self._direction
        return self.camera.view_direction, self.camera.up_direction

    def code(self) -> str:
        """Give the levels and looks as Python that reproduces them."""
        self._need()
        lines = [
            f"viewer.set({each.name!r}, level={each.level:.5g}, opacity={each.opacity:.3g}, "
            f"visible={each.visible}, colour={each.colour!r})"
            for each in self._shown
        ]
        view, up = (tuple(round(float(v), 4) for v in vector) for vector in self._camera())
        return "\n".join([*lines, f"viewer.camera.set_view_direction({view}, {up})"])

    def static_html(self) -> str:
        """Give each map's surface from three sides, and its central slices."""
        self._need()
        rows = []
        for shown in self._shown:
            if not shown.visible:
                continue
            data = shown.volume
            sides = (data, np.transpose(data, (1, 0, 2))[::-1], np.transpose(data, (2, 0, 1)))
            pictures = [np.asarray(shaded_surface(side, shown.level)) for side in sides]
            slices = [picture[::-1] for picture in central_slices(data)]
            width = 150
            images = "".join(img_tag(picture, shown.name, width, quality=80) for picture in [*pictures, *slices])
            text = f"surface at {shown.level:.3g} seen along z, y and x; central slices"
            rows.append(f"<div><b>{escape(shown.name)}</b>: {text}<br>{images}</div>")
        return "".join(rows)

    # ---- questions from the views --------------------------------------------------------------------------------
    def _ask_volume(self, key: str) -> Answer:
        self._need()
        found = self._quantised.get(key)
        if found is None:
            raise UserError("this map is no longer in the viewer; reload the page")
        return found.facts(), [found.packed]

    def _ask_set(self, key: str, changes: dict[str, Any]) -> dict[str, Any]:
        self._need()
        found = next((shown for shown in self._shown if shown.key == key), None)
        if found is not None:
            self.set(found.name, **changes)
        return {}

    def _ask_camera(self, view: Sequence[float] | None = None, up: Sequence[float] | None = None) -> dict[str, Any]:
        self._need()
        if view is not None and up is not None:
            self._from_view = True
            try:
                self._turn(_vector(view[::-1]), _vector(up[::-1]))
            finally:
                self._from_view = False
        return self._camera_state()

    def _camera_state(self) -> dict[str, Any]:
        view, up = self._camera()
        return {"view": [float(v) for v in view[::-1]], "up": [float(v) for v in up[::-1]]}

    # ---- changes in Python ---------------------------------------------------------------------------------------
    _from_view = False

    def _camera_changed(self, _event: Any = None) -> None:
        if not self._from_view:
            self._tell("camera", **self._camera_state())

    def _layers_changed(self, _event: Any = None) -> None:
        """Take over what napari's layers say; a map whose layer was removed is no longer shown."""
        layers = list(self._model.layers)
        self._shown = [
            each for each in self._shown if each.key not in self._layer_of or self._layer_of[each.key] in layers
        ]
        for shown in self._shown:
            if shown.key in self._layer_of:
                shown.follow(self._layer_of[shown.key])
        self._refresh()

    def _refresh(self) -> None:
        self.maps = [shown.facts() for shown in self._shown]


def _vector(values: Sequence[float]) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z
