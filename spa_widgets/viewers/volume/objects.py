"""Points and surfaces of a napari model as the browser draws them; other layers only have a line in the list."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.volume_view import placed

KINDS = {"Points": "points", "Surface": "surface"}
EVENTS = (
    "data", "visible", "opacity", "name", "scale", "translate", "size", "face_color", "colormap", "contrast_limits",
)  # fmt: skip


def is_map(layer: Any) -> bool:
    """Tell whether a layer is a map: a three-dimensional image of grey values."""
    return type(layer).__name__ == "Image" and layer.ndim == 3 and not layer.rgb and not layer.multiscale


def facts(layer: Any, key: str, version: int) -> dict[str, Any]:
    """What the list of the view shows of a layer that is no map."""
    kind = KINDS.get(type(layer).__name__, "other") if layer.ndim == 3 else "other"
    return {
        "id": key, "name": layer.name, "kind": kind, "visible": bool(layer.visible), "opacity": float(layer.opacity),
        "version": version,
    }  # fmt: skip


def buffers(layer: Any) -> tuple[dict[str, Any], list[bytes]]:
    """Give what is drawn: points as x, y, z and diameter in Å and colours, surfaces as vertices, triangles, colours."""
    if type(layer).__name__ == "Points":
        places = _world(layer, np.asarray(layer.data, float))
        scale = float(np.mean(layer.scale))
        marks = np.column_stack([places, np.broadcast_to(np.asarray(layer.size, float), len(places)) * scale])
        shown = np.asarray(layer.shown, bool)
        return {"kind": "points"}, [_bytes(marks[shown], np.float32), _bytes(_rgb(layer.face_color)[shown], np.uint8)]
    vertices, faces, values = layer.data[:3]
    colours = _rgb(_surface_colours(layer, np.asarray(values, float)))
    return {"kind": "surface"}, [
        _bytes(_world(layer, np.asarray(vertices, float)), np.float32),
        _bytes(faces, np.uint32),
        _bytes(colours, np.uint8),
    ]


def _surface_colours(layer: Any, values: NDArray[np.float64]) -> Any:
    if layer.vertex_colors is not None:
        return layer.vertex_colors
    low, high = layer.contrast_limits
    return layer.colormap.map((values.reshape(len(values), -1)[:, 0] - low) / ((high - low) or 1.0))


def _world(layer: Any, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put places of a layer (z, y, x) into the world (x, y, z)."""
    found = placed(places, layer.scale, layer.rotate, layer.translate, layer.affine.affine_matrix)
    return np.ascontiguousarray(found[:, ::-1])


def _rgb(colours: Any) -> NDArray[np.uint8]:
    return (np.asarray(colours, float)[:, :3] * 255).round().astype(np.uint8)


def _bytes(values: Any, kind: Any) -> bytes:
    return np.ascontiguousarray(values, kind).tobytes()
