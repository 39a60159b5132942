"""What a volume viewer holds: maps, a camera, and the napari model that takes both over when it is first asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets

from engine.volume_display import suggested_contour
from spa_widgets.errors import UserError
from spa_widgets.viewers.volume import objects
from spa_widgets.viewers.volume.cameras import Cameras
from spa_widgets.viewers.volume.maps import Quantised, quantise, read_volume
from spa_widgets.viewers.volume.model import (
    COLOURS,
    Shown,
    camera_of,
    colormap,
    colour_of,
    new_model,
)

_MAP_EVENTS = ("iso_threshold", "opacity", "visible", "colormap", "name", "contrast_limits", "translate")


class NapariState(Cameras):
    """The state of the viewer and its two-way tie to napari."""

    maps = traitlets.List(traitlets.Dict()).tag(sync=True)
    objects = traitlets.List(traitlets.Dict()).tag(sync=True)

    cut = traitlets.List(traitlets.Float(), allow_none=True, default_value=None).tag(sync=True)

    def __init__(self, pixel_size_A: float | None, given: dict[str, Any], **options: Any) -> None:
        super().__init__(**options)
        self._pixel_size_A, self._given = pixel_size_A, given
        self._shown: list[Shown] = []
        self._quantised: dict[str, Quantised] = {}
        self._layer_of: dict[str, Any] = {}
        self._object_of: dict[str, Any] = {}
        self._versions: dict[str, int] = {}
        self._added = 0

    # ---- maps ----------------------------------------------------------------------------------------------------
    def _pick(self, what: str, place: int, default: Any) -> Any:
        given = self._given.get(what)
        return given[place] if given is not None and place < len(given) else default

    def _key(self) -> str:
        self._added += 1
        return f"v{self._added}"

    def _add(self, volume: Any, pixel_size_A: float, name: str, place: int) -> Shown:
        mean, std, level = suggested_contour(volume)
        used = {shown.name for shown in self._shown}
        names = (name if not count else f"{name} [{count}]" for count in range(len(used) + 1))
        shown = Shown(
            self._key(), next(each for each in names if each not in used), volume, pixel_size_A,
            float(self._pick("levels", place, level)), self._pick("colours", place, COLOURS[place % len(COLOURS)]),
            mean, std, visible=bool(self._pick("visible", place, True)),
        )  # fmt: skip
        shown.change("style", self._pick("styles", place, "surface"))
        packed = self._quantised[shown.key] = quantise(np.asarray(volume, np.float32), pixel_size_A)
        shown.contrast = packed.contrast
        self._shown.append(shown)
        if self._model is not None:
            self._make_layer(shown)
        return shown

    def _make_layer(self, shown: Shown) -> None:
        self._making = True
        try:
            self._tie(shown, shown.add_to(self._model))
        finally:
            self._making = False

    def _tie(self, shown: Shown, layer: Any) -> None:
        self._layer_of[shown.key] = layer
        for event in _MAP_EVENTS:
            getattr(layer.events, event).connect(self._layers_changed)
        layer.experimental_clipping_planes.events.connect(self._layers_changed)
        layer.events.data.connect(lambda _event=None: self._data_changed(shown))

    def _data_changed(self, shown: Shown) -> None:
        """A layer got other values: they are sent again."""
        data = np.asarray(self._layer_of[shown.key].data, np.float32)
        if data is shown.volume or data.ndim != 3:
            return
        shown.volume, shown.version = data, shown.version + 1
        shown.mean, shown.std, _ = suggested_contour(data)
        self._quantised[shown.key] = quantise(data, shown.pixel_size_A)
        self._refresh()

    # ---- napari --------------------------------------------------------------------------------------------------
    @property
    def model(self) -> Any:
        """The napari ViewerModel; made, and napari imported, when it is first asked for."""
        self._need()
        with self._lock:
            if self._model is None:
                self._make_model()
        return self._model

    def _make_model(self) -> None:
        model = self._model = new_model()
        for shown in self._shown:
            self._make_layer(shown)
        self._put_camera()
        camera_of(model).events.angles.connect(self._camera_changed)
        camera_of(model).events.zoom.connect(self._zoom_changed)
        camera_of(model).events.center.connect(self._zoom_changed)
        model.layers.events.inserted.connect(self._inserted)
        model.layers.events.removed.connect(self._layers_changed)
        self._put_cut()
        model.dims.events.point.connect(self._point_changed)

    # the three slices lie where napari's dimension sliders are
    @traitlets.observe("cut")
    def _put_cut(self, _change: Any = None) -> None:
        if self._model is None or self._making or self.cut is None:
            return
        self._making = True
        try:
            self._model.dims.point = tuple(self.cut[::-1])
        finally:
            self._making = False

    def _point_changed(self, _event: Any = None) -> None:
        point = self._model.dims.point
        if not self._making and len(point) >= 3:
            self.cut = [float(value) for value in point[-3:][::-1]]

    def _inserted(self, event: Any) -> None:
        """A layer came by napari's API: a map is contoured, points and surfaces are drawn, the rest is listed."""
        layer = event.value
        if self._making:
            return
        if objects.is_map(layer):
            self._adopt(layer)
        else:
            key = self._key()
            self._object_of[key], self._versions[key] = layer, 0
            for name in objects.EVENTS:
                if hasattr(layer.events, name):
                    getattr(layer.events, name).connect(lambda _event=None, key=key: self._object_changed(key))
        self._refresh()

    def _adopt(self, layer: Any) -> None:
        data, size = np.asarray(layer.data, np.float32), float(layer.scale[-1])
        mean, std, _ = suggested_contour(data)
        shown = Shown(self._key(), layer.name, data, size, float(layer.iso_threshold), colour_of(layer), mean, std)
        shown.follow(layer)
        self._quantised[shown.key] = quantise(data, size)
        self._shown.append(shown)
        self._tie(shown, layer)

    def _object_changed(self, key: str) -> None:
        self._versions[key] += 1
        self._refresh()

    def _layers_changed(self, _event: Any = None) -> None:
        """Take over what napari's layers say; a map whose layer was removed is no longer shown."""
        layers = list(self._model.layers)
        self._object_of = {key: layer for key, layer in self._object_of.items() if layer in layers}
        self._shown = [
            each for each in self._shown if each.key not in self._layer_of or self._layer_of[each.key] in layers
        ]
        for shown in self._shown:
            if shown.key in self._layer_of:
                shown.follow(self._layer_of[shown.key])
        self._refresh()

    def _refresh(self) -> None:
        self.maps = [shown.facts() for shown in self._shown]
        self.objects = [objects.facts(layer, key, self._versions[key]) for key, layer in self._object_of.items()]

    def _find(self, name: str) -> Shown:
        found = next((shown for shown in self._shown if shown.name == name), None)
        if found is None:
            raise UserError(f"there is no map {name!r}; there are {', '.join(each.name for each in self._shown)}")
        return found

    def _change(self, shown: Shown, what: str, value: Any) -> None:
        """Change a map where its state lives: in napari's layer if there is one."""
        layer = self._layer_of.get(shown.key)
        if layer is not None and what == "colour":
            layer.colormap = colormap(str(value))
            return
        what = shown.change(what, value)
        if layer is not None:
            shown.put(what, layer)

    def _read(self, source: Any) -> tuple[Any, float, str]:
        return read_volume(source, self._pixel_size_A)
