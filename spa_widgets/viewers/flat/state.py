"""What a flat viewer holds: a napari ViewerModel, tied both ways to what the views see."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets
from numpy.typing import NDArray

from engine.display import bin_image, filtered, sigma_limits, to_uint8
from engine.micrograph_view import picture_binning
from spa_widgets.viewers.base import SpaWidget
from spa_widgets.viewers.flat.picks import picks_of
from spa_widgets.viewers.flat.pictures import MICROGRAPH, Pictures, Stack, open_pictures
from spa_widgets.viewers.volume.napari_models import viewer_model

SIGMA, SPAN_SIGMA = 3.0, 8.0  # black and white at first, and the ends of their sliders, in standard deviations
MICROGRAPH_LOW_PASS_A = 20.0
SAMPLE = 16  # pictures of a stack
_LAYER_EVENTS = ("visible", "data", "size", "name")


class FlatState(SpaWidget):
    """The state of the viewer and its two-way tie to napari."""

    current = traitlets.Int(0, min=0).tag(sync=True)
    count = traitlets.Int(1).tag(sync=True)
    contrast = traitlets.List(traitlets.Float()).tag(sync=True)
    span = traitlets.List(traitlets.Float()).tag(sync=True)
    low_pass_A = traitlets.Float(0.0, min=0).tag(sync=True)
    diameter_A = traitlets.Float(160.0, min=1).tag(sync=True)
    shown = traitlets.List(traitlets.Dict()).tag(sync=True)
    version = traitlets.Int(0).tag(sync=True)

    def __init__(
        self, source: Any, picks: Any = None, *, name: str | None = None, pixel_size_A: float | None = None,
        low_pass_A: float | None = None, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(**options)
        self._source, self._picks, self._name, self._pixel_size_A = source, picks, name, pixel_size_A
        self._wanted_low_pass_A = low_pass_A
        self._model: Any = None
        self._taking_over = False
        self._when_ready([item for item in (source, picks) if item is not None], self._load)

    def _load(self) -> None:
        found: Pictures = open_pictures(self._source, self._pixel_size_A)
        self._found = found
        usual = MICROGRAPH_LOW_PASS_A if found.kind == MICROGRAPH and found.pixel_size_A else 0.0
        self.low_pass_A = usual if self._wanted_low_pass_A is None else self._wanted_low_pass_A
        self.count = len(found.data) if found.data.ndim == 3 else 1
        self.current = min(self.current, self.count - 1)
        seen = self._sample()
        self.span = list(sigma_limits(seen, SPAN_SIGMA))
        model = viewer_model(2)
        model.add_image(
            found.data, name=self._name or found.kind, rgb=False, multiscale=False,
            contrast_limits=sigma_limits(seen, SIGMA), metadata={"pixel_size_A": found.pixel_size_A},
        )  # fmt: skip
        if self._picks is not None:
            points = picks_of(self._picks, found)
            sizes_px = self.diameter_A / self._pixel_sizes_A(points)
            model.add_points(points, name="picks", size=sizes_px, face_color="transparent", border_color="#33db9e")
        self._model = model
        self._go(self.current)
        for layer in model.layers:
            self._follow(layer)
        model.layers.events.inserted.connect(self._inserted)
        model.layers.events.removed.connect(lambda _event: self._refresh())
        model.layers.events.reordered.connect(lambda _event: self._refresh())
        model.dims.events.point.connect(lambda _event: self._point_changed())
        self._refresh()

    def _sample(self) -> NDArray[np.float32]:
        """Give what the contrast is taken from: a micrograph, or some pictures of a stack (a class may be empty)."""
        data, numbers = self._found.data, [self.current]
        if self._found.kind != MICROGRAPH:
            numbers = sorted({int(number) for number in np.linspace(0, self.count - 1, SAMPLE)})
        return np.stack([self._filtered(_plane(data, number), self.low_pass_A, number) for number in numbers])

    def _pixel_sizes_A(self, points: NDArray[np.float32]) -> NDArray[np.float64]:
        """Give Å per px of the picture of each point; 1 where it is not known."""
        numbers = points[:, 0].astype(int) if points.shape[1] > 2 else np.zeros(len(points), int)
        sizes_A = {int(number): self._found.size_A(int(number)) or 1.0 for number in np.unique(numbers)}
        return np.array([sizes_A[int(number)] for number in numbers])

    # ---- both directions -----------------------------------------------------------------------------------------
    def _follow(self, layer: Any) -> None:
        if is_image(layer):
            layer.events.contrast_limits.connect(lambda _event=None: self._take_over())
        for name in _LAYER_EVENTS:
            if hasattr(layer.events, name):
                getattr(layer.events, name).connect(lambda _event=None: self._refresh())

    def _refresh(self) -> None:
        """Have the views ask again: there are other layers, values or points."""
        self._take_over()
        self.version += 1

    def _take_over(self) -> None:
        """Tell the views what napari's layers say."""
        if self._taking_over:
            return
        self._taking_over = True
        try:
            self.shown = [{"name": each.name, "visible": bool(each.visible)} for each in self._model.layers]
            image = self._image()
            if image is not None:
                self.contrast = [float(value) for value in image.contrast_limits]
        finally:
            self._taking_over = False

    def _inserted(self, event: Any) -> None:
        self._follow(event.value)
        self._refresh()

    @traitlets.observe("contrast")
    def _put_contrast(self, _change: Any) -> None:
        if self._taking_over or self._model is None:
            return
        low, high = self.contrast
        image = self._image()
        if image is not None and low < high:
            image.contrast_limits = (low, high)

    @traitlets.observe("current")
    def _put_current(self, _change: Any) -> None:
        if self._model is not None:
            self._go(self.current)

    def _go(self, number: int) -> None:
        if self.count > 1 and round(float(self._model.dims.point[0])) != number:
            self._model.dims.set_point(0, float(number))

    def _point_changed(self) -> None:
        if self.count > 1 and self._model.dims.ndim >= 3:
            self.current = min(max(round(float(self._model.dims.point[0])), 0), self.count - 1)

    # ---- pictures and points -------------------------------------------------------------------------------------
    def _image(self) -> Any | None:
        """Give the topmost visible image."""
        return next((each for each in reversed(self._model.layers) if is_image(each) and each.visible), None)

    def _size(self, number: int) -> tuple[int, int]:
        image = self._image()
        data = self._found.data if image is None else image.data
        height, width = data.own_shape(number) if isinstance(data, Stack) else data.shape[-2:]
        return int(height), int(width)

    def _filtered(self, picture: NDArray[np.float32], low_pass_A: float, number: int) -> NDArray[np.float32]:
        size_A = self._found.size_A(number)
        limit_A = low_pass_A if size_A else 0.0
        factor = picture_binning(picture.shape, size_A or 1.0, limit_A)
        return np.asarray(filtered(bin_image(picture, factor), (size_A or 1.0) * factor, limit_A))

    def _draw(self, number: int, low: float, high: float, low_pass_A: float) -> NDArray[np.uint8]:
        image = self._image()
        if image is None:
            return np.zeros(self._size(number), np.uint8)
        return np.asarray(to_uint8(self._filtered(_plane(image.data, number), low_pass_A, number), low, high))

    def _points(self, number: int) -> NDArray[np.float32]:
        """Give x, y and the number of the layer of each point that is seen on a picture."""
        layers = [each for each in self._model.layers if type(each).__name__ == "Points" and each.visible]
        rows = [np.zeros((0, 3), np.float32)]
        for place, layer in enumerate(layers):
            data = np.asarray(layer.data)[np.asarray(layer.shown, bool)]
            if data.shape[1] > 2:
                data = data[np.rint(data[:, 0]) == number]
            rows.append(np.column_stack([data[:, -1], data[:, -2], np.full(len(data), place)]).astype(np.float32))
        return np.concatenate(rows)

    def _radius_px(self, number: int) -> float:
        """Give the radius of the circles on a picture: micrographs of several pixel sizes have their own."""
        for layer in self._model.layers:
            if type(layer).__name__ == "Points" and layer.visible and len(layer.size):
                here = (
                    np.rint(layer.data[:, 0]) == number if layer.data.shape[1] > 2 else np.ones(len(layer.size), bool)
                )
                return float(np.median(layer.size[here] if here.any() else layer.size)) / 2
        return 5.0

    def _title(self, number: int) -> str:
        return self._found.names[number] if self._found.names else self._found.kind


def _plane(data: Any, number: int) -> NDArray[np.float32]:
    if isinstance(data, Stack):
        return data.own(min(number, len(data) - 1))
    return np.asarray(data[min(number, len(data) - 1)] if data.ndim == 3 else data, np.float32)


def is_image(layer: Any) -> bool:
    """Tell whether a layer is a picture."""
    return type(layer).__name__ == "Image"
