"""Where one looks from: napari's camera once there is one, and the camera of every view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spa_widgets.viewers.base import SpaWidget
from spa_widgets.viewers.volume.mirror import camera_of

Vector = tuple[float, float, float]
# view direction and what is up, both z, y, x as napari has them
VIEWS: dict[str, tuple[Vector, Vector]] = {
    "z": ((-1, 0, 0), (0, 1, 0)), "y": ((0, 1, 0), (1, 0, 0)), "x": ((0, 0, -1), (1, 0, 0)),
}  # fmt: skip


@dataclass
class CameraState:
    """Where one looks from, until napari's camera knows it; without zoom and centre everything fits."""

    view: Vector = VIEWS["z"][0]
    up: Vector = VIEWS["z"][1]
    zoom: float | None = None  # screen pixels for one Å
    centre: Vector | None = None  # z, y, x in Å


class Cameras(SpaWidget):
    """The camera of a viewer and its two-way tie to napari's."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._seen_from = CameraState()
        self._model: Any = None
        self._making = self._from_view = False

    def _turn(self, **changes: Any) -> None:
        """Look from elsewhere: ``view``, ``up``, ``zoom``, ``centre``, in napari's order of axes."""
        self._read_camera()
        for name, value in changes.items():
            setattr(self._seen_from, name, value)
        if self._model is not None:
            self._put_camera()
        self._camera_changed()

    def _put_camera(self) -> None:
        camera, wanted = camera_of(self._model), self._seen_from
        self._making = True
        try:
            camera.set_view_direction(wanted.view, wanted.up)
            if wanted.zoom is not None:
                camera.zoom = wanted.zoom
            if wanted.centre is not None:
                camera.center = wanted.centre
            elif len(self._model.layers):
                self._model.fit_to_view()
        finally:
            self._making = False

    def _read_camera(self) -> CameraState:
        if self._model is not None:
            camera = camera_of(self._model)
            self._seen_from.view = _vector(camera.view_direction)
            self._seen_from.up = _vector(camera.up_direction)
        return self._seen_from

    def _zoom_changed(self, _event: Any = None) -> None:
        """Zoom or centre was set in napari: from now on the view does not fit itself."""
        if self._making:
            return
        camera = camera_of(self._model)
        self._seen_from.zoom, self._seen_from.centre = float(camera.zoom), _vector(camera.center)
        self._camera_changed()

    def _camera_changed(self, _event: Any = None) -> None:
        if not self._from_view and not self._making:
            self._tell("camera", **self._camera_state())

    def _camera_state(self) -> dict[str, Any]:
        """Give the camera as the view has it: x, y, z."""
        seen = self._read_camera()
        return {
            "view": [float(v) for v in seen.view[::-1]], "up": [float(v) for v in seen.up[::-1]], "zoom": seen.zoom,
            "centre": None if seen.centre is None else [float(v) for v in seen.centre[::-1]],
        }  # fmt: skip

    def _ask_camera(self, **changes: Any) -> dict[str, Any]:
        self._need()
        if changes:
            vectors = {
                name: value if name == "zoom" or value is None else _vector(value[::-1])
                for name, value in changes.items()
            }
            self._from_view = True
            try:
                self._turn(**vectors)
            finally:
                self._from_view = False
        return self._camera_state()


def _vector(values: Sequence[float]) -> Vector:
    first, second, third = (float(value) for value in values)
    return first, second, third
