"""The state of a volume viewer: a napari ViewerModel (no Qt, no screen) that holds maps as image layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.volume_view import height
from spa_widgets.errors import UserError
from spa_widgets.viewers.volume.mirror import camera_of
from spa_widgets.viewers.volume.napari_models import viewer_model
from spa_widgets.viewers.volume.stand_in import COLOUR_BY

# colour-blind-safe (Okabe and Ito), in the order in which maps get them
COLOURS = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#d55e00", "#0072b2", "#999999")
STYLES = ("surface", "mesh")


@dataclass
class Shown:
    """A map and how it is drawn, until napari holds it as a layer.

    ``clip`` is a plane in world coordinates (x, y, z and distance in Å): what lies on its positive side is seen.
    ``colour_by`` is the map whose values colour this one: its name (``by``), ``range`` and ``stops`` of the colours.
    """

    key: str
    name: str
    volume: NDArray[np.float32]
    pixel_size_A: float
    level: float
    colour: str
    mean: float
    std: float
    opacity: float = 1.0
    visible: bool = True
    style: str = "surface"
    contrast: tuple[float, float] = (0.0, 1.0)
    clip: tuple[float, float, float, float] | None = None
    colour_by: dict[str, Any] | None = None
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    version: int = 0

    def change(self, what: str, value: Any) -> str:
        """Change one of its looks and give its name; ``sigma`` is the level in standard deviations above the mean."""
        if what == "sigma":
            what, value = "level", self.mean + float(value) * self.std
        setattr(self, what, _KINDS[what](value))
        return what

    def facts(self) -> dict[str, Any]:
        """What the views show of it."""
        names = ("name", "level", "opacity", "visible", "colour", "mean", "std", "style", "colour_by", "version")
        plain = {name: getattr(self, name) for name in names}
        return {
            "id": self.key, **plain, "contrast": list(self.contrast), "origin": list(self.origin),
            "clip": None if self.clip is None else list(self.clip),
        }  # fmt: skip

    def follow(self, layer: Any) -> None:
        """Take over what napari's layer says."""
        self.name, self.level, self.colour = layer.name, float(layer.iso_threshold), colour_of(layer)
        self.opacity, self.visible = float(layer.opacity), bool(layer.visible)
        low, high = (float(value) for value in layer.contrast_limits)
        self.contrast, self.clip = (low, high), clip_of(layer)
        self.style, self.colour_by = layer.metadata.get("style", "surface"), layer.metadata.get(COLOUR_BY)
        self.origin = _xyz(layer.translate)

    def put(self, what: str, layer: Any) -> None:
        """Make one of the looks napari's."""
        if what == "level":
            layer.iso_threshold = self.level
        elif what in ("visible", "opacity"):
            setattr(layer, what, getattr(self, what))
        elif what == "contrast":
            layer.contrast_limits = self.contrast
        elif what == "clip":
            layer.experimental_clipping_planes = planes_of(self.clip, layer)
        else:
            layer.metadata.update({"style": self.style, COLOUR_BY: self.colour_by})
            layer.events.opacity()  # napari has no event for metadata; whoever mirrors the layer looks at all of it

    def add_to(self, model: Any) -> Any:
        """Add it to a napari model and give the layer."""
        layer = model.add_image(
            self.volume, name=self.name, scale=(self.pixel_size_A,) * 3, rendering="iso", blending="translucent",
            iso_threshold=self.level, colormap=colormap(self.colour), opacity=self.opacity, visible=self.visible,
            contrast_limits=self.contrast, translate=self.origin[::-1],
            metadata={"mean": self.mean, "std": self.std, "style": self.style, COLOUR_BY: self.colour_by},
        )  # fmt: skip
        if self.clip is not None:
            layer.experimental_clipping_planes = planes_of(self.clip, layer)
        return layer


def clip_of(layer: Any) -> tuple[float, float, float, float] | None:
    """Give the first clipping plane that is switched on, in world coordinates: x, y, z of its normal and its place."""
    for plane in layer.experimental_clipping_planes:
        if plane.enabled:
            normal = np.asarray(plane.normal[::-1], float)
            point = np.asarray(_xyz(layer.translate)) + np.asarray(plane.position[::-1]) * layer.scale[::-1]
            x, y, z = (float(value) for value in normal)
            return x, y, z, height(normal, point)
    return None


def planes_of(clip: tuple[float, float, float, float] | None, layer: Any) -> list[dict[str, Any]]:
    """Give a plane of the world as napari keeps it: in voxels of the layer, z, y, x."""
    if clip is None:
        return []
    normal = np.asarray(clip[:3], float)
    point = (normal * clip[3] - np.asarray(_xyz(layer.translate))) / np.asarray(layer.scale[::-1])
    return [{"position": tuple(point[::-1]), "normal": tuple(normal[::-1]), "enabled": True}]


def _xyz(values: Any) -> tuple[float, float, float]:
    z, y, x = (float(value) for value in values)
    return x, y, z


def _part(value: Any) -> float:
    return min(max(float(value), 0.0), 1.0)


def _style(value: Any) -> str:
    if value not in STYLES:
        raise UserError(f"a map cannot be drawn as {value!r}; give {' or '.join(STYLES)}")
    return str(value)


def _pair(value: Any) -> tuple[float, float]:
    low, high = (float(each) for each in value)
    if not low < high:
        raise UserError(f"black ({low:g}) must lie below white ({high:g}); give the smaller map value first")
    return low, high


def _plane(value: Any) -> tuple[float, float, float, float] | None:
    if value is None:
        return None
    x, y, z, place = (float(each) for each in value)
    return x, y, z, place


_KINDS: dict[str, Any] = {
    "level": float, "opacity": _part, "visible": bool, "colour": str, "style": _style, "contrast": _pair,
    "clip": _plane, "colour_by": lambda value: value,
}  # fmt: skip


def new_model() -> Any:
    """Give an empty 3D ViewerModel whose axes are right-handed on the screen (x right, y up, z to the viewer)."""
    model = viewer_model(3)
    camera_of(model).orientation = ("towards", "up", "right")
    camera_of(model).set_view_direction((-1, 0, 0), (0, 1, 0))
    return model


def colour_of(layer: Any) -> str:
    """Give the colour of a layer as #rrggbb: the bright end of its colormap."""
    red, green, blue = (round(255 * float(part)) for part in layer.colormap.colors[-1][:3])
    return f"#{red:02x}{green:02x}{blue:02x}"


def colormap(colour: str, dark: str = "#000000") -> Any:
    """Give a napari colormap to a colour."""
    from napari.utils import Colormap

    return Colormap([dark, colour], name=colour)
