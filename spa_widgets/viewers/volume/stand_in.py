"""An isosurface drawn as triangles where no graphics card is: casting rays takes a processor a minute a frame."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.volume_view import values_at

MOST_VERTICES = 100_000  # about 10 frames a second on a processor
COLOUR_BY = "colour_by"


def wants_stand_in(layer: Any) -> bool:
    """Tell whether a layer is a map drawn as an isosurface."""
    return getattr(layer, "rendering", "") == "iso" and getattr(layer, "ndim", 0) == 3 and not layer.multiscale


class StandIn:
    """A napari surface that follows an image layer.

    Parameters
    ----------
    layer : napari.layers.Image
        A map with ``rendering="iso"``.
    model : napari.components.ViewerModel
        Where the map lies that colours this one, if ``layer.metadata["colour_by"]`` names one.
    """

    def __init__(self, layer: Any, model: Any) -> None:
        from napari.components import ViewerModel

        self._layer, self._model = layer, model
        self._drawn: tuple[Any, ...] = ()
        self._place = ViewerModel(ndisplay=3)  # a layer is cut for display by the model that it lies in
        self.surface = self._place.add_surface(_nothing(), shading="smooth", name=layer.name)
        self.update()

    def update(self) -> None:
        """Follow level, colour and place of the map; contour again only where that changed."""
        layer = self._layer
        self.surface.visible, self.surface.opacity = layer.visible, layer.opacity
        for name in ("scale", "translate", "rotate", "shear", "affine"):
            setattr(self.surface, name, getattr(layer, name))
        self.surface.wireframe.visible = layer.metadata.get("style") == "mesh"
        self.surface.blending = "translucent" if layer.opacity < 1 else "opaque"
        by = self._coloured_by()
        self.surface.colormap = layer.colormap if by is None else _stops(by["stops"])
        self.surface.contrast_limits = (0.0, 1.0) if by is None else by["range"]
        self.surface.experimental_clipping_planes = self._planes()
        key = (id(layer.data), float(layer.iso_threshold), None if by is None else (by["by"], id(by["values"])))
        if layer.visible and key != self._drawn:
            self._drawn = key
            self.surface.data = self._contoured(by)

    def _planes(self) -> list[dict[str, Any]]:
        """Give the map's clipping planes for a surface: napari cuts images in voxels, surfaces in the world."""
        scale, translate = np.asarray(self._layer.scale), np.asarray(self._layer.translate)
        return [
            {**plane.model_dump(), "position": tuple(np.asarray(plane.position) * scale + translate)}
            for plane in self._layer.experimental_clipping_planes
        ]

    def _coloured_by(self) -> dict[str, Any] | None:
        wanted = dict(self._layer.metadata).get(COLOUR_BY)
        if not wanted or wanted["by"] not in self._model.layers:
            return None
        return {**wanted, "values": self._model.layers[wanted["by"]].data}

    def _contoured(self, by: dict[str, Any] | None) -> tuple[Any, Any, Any]:
        from skimage.measure import marching_cubes

        data = np.asarray(self._layer.data, np.float32)
        level = float(self._layer.iso_threshold)
        step = 1
        while True:
            part = data[::step, ::step, ::step]
            if min(part.shape) < 2 or not part.min() < level < part.max():
                return _nothing()
            vertices, faces, _normals, _values = marching_cubes(part, level)
            if len(vertices) <= MOST_VERTICES:
                break
            step += 1
        values = np.ones(len(vertices), np.float32)
        if by is not None:
            values = values_at(np.asarray(by["values"]), vertices * step)
        return vertices * step, faces, values


def _stops(colours: list[str]) -> Any:
    from napari.utils import Colormap

    return Colormap(colours, name="-".join(colours))


def _nothing() -> tuple[Any, Any, Any]:
    return np.zeros((3, 3), np.float32), np.array([[0, 1, 2]]), np.ones(3, np.float32)
