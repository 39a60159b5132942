"""The state of a volume viewer: a napari ViewerModel (no Qt, no screen) that holds maps as image layers."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import to_numpy
from engine.display import bin_volume, contour_floor, level_histogram, suggested_contour, volume_to_uint8
from spa_widgets.errors import UserError
from spa_widgets.io.mrc import read_mrc
from spa_widgets.viewers import sources

LONGEST_PX = 256  # larger maps are binned for the screen
# colour-blind-safe (Okabe and Ito), in the order in which maps get them
COLOURS = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#d55e00", "#0072b2", "#999999")
_OUTPUTS = ("map_sharp", "map", "volume", "volume_1", "mask", "half_a")
_FILES = ("map_sharp.mrc", "map.mrc", "volume_1.mrc")


@dataclass(frozen=True)
class Quantised:
    """A map as the browser gets it: 256 levels between two map values."""

    levels: NDArray[np.uint8]
    low: float
    high: float
    mean: float
    std: float
    pixel_size_A: float
    packed: bytes
    histogram: list[int]

    def facts(self) -> dict[str, Any]:
        """What a view needs to know besides the levels."""
        return {
            "shape": list(self.levels.shape[::-1]), "low": self.low, "high": self.high, "mean": self.mean,
            "std": self.std, "pixel_size_A": self.pixel_size_A, "histogram": self.histogram,
        }  # fmt: skip


@dataclass
class Shown:
    """A map and how it is drawn, until napari holds it as a layer."""

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

    def change(self, what: str, value: Any) -> None:
        """Change level, sigma, opacity, visible or colour (#rrggbb)."""
        if what == "sigma":
            what, value = "level", self.mean + float(value) * self.std
        kinds: dict[str, Any] = {"level": float, "opacity": _part, "visible": bool, "colour": str}
        setattr(self, what, kinds[what](value))

    def facts(self) -> dict[str, Any]:
        """What the views show of it."""
        names = ("name", "level", "opacity", "visible", "colour", "mean", "std")
        return {"id": self.key, **{name: getattr(self, name) for name in names}}

    def follow(self, layer: Any) -> None:
        """Take over what napari's layer says."""
        self.name, self.level, self.colour = layer.name, float(layer.iso_threshold), colour_of(layer)
        self.opacity, self.visible = float(layer.opacity), bool(layer.visible)

    def add_to(self, model: Any) -> Any:
        """Add it to a napari model and give the layer."""
        low, high = float(self.volume.min()), float(self.volume.max())
        return model.add_image(
            self.volume, name=self.name, scale=(self.pixel_size_A,) * 3, rendering="iso", blending="translucent",
            iso_threshold=self.level, colormap=colormap(self.colour), opacity=self.opacity, visible=self.visible,
            contrast_limits=(low, high if high > low else low + 1),
            metadata={"mean": self.mean, "std": self.std, "pixel_size_A": self.pixel_size_A},
        )  # fmt: skip


def _part(value: Any) -> float:
    return min(max(float(value), 0.0), 1.0)


def quantise(volume: NDArray[np.float32], pixel_size_A: float) -> Quantised:
    """Quantise a map for the screen and pack it.

    Values in the noise are cut off: nobody contours there, and without them 180³ voxels pack into 0.6 MB, not 3.6.
    """
    factor = max(1, -(-max(volume.shape) // LONGEST_PX))
    shown = bin_volume(volume, factor) if factor > 1 else volume
    mean, std, _ = suggested_contour(shown)
    levels, low, high = volume_to_uint8(np.maximum(shown, contour_floor(shown)))
    return Quantised(
        levels,
        low,
        high,
        mean,
        std,
        pixel_size_A * factor,
        zlib.compress(levels.tobytes(), 6),
        level_histogram(levels).tolist(),
    )


def read_volume(source: Any, pixel_size_A: float | None) -> tuple[NDArray[np.float32], float, str]:
    """Give map, Å per voxel and a name for whatever stands for a volume: a job, an output, a file, an array.

    Raises
    ------
    UserError
        When it is not a volume.
    """
    if hasattr(source, "ndim"):
        volume, size, name = np.asarray(to_numpy(source), np.float32), 0.0, "map"
    else:
        path = sources.file_of(source, _OUTPUTS, _FILES)
        volume, size = read_mrc(path)
        job = sources.job_of(source)
        name = path.stem if job is None else f"{job.name} {path.stem}"
    if volume.ndim != 3 or min(volume.shape) < 4:
        raise UserError(f"{name} has the shape {volume.shape}; give a volume of at least 4 voxels on each side")
    return volume, pixel_size_A or size or 1.0, name


def new_model() -> Any:
    """Give an empty 3D ViewerModel whose axes are right-handed on the screen (x right, y up, z to the viewer)."""
    from napari.components import ViewerModel

    model = ViewerModel(ndisplay=3)
    camera_of(model).orientation = ("towards", "up", "right")
    camera_of(model).set_view_direction((-1, 0, 0), (0, 1, 0))
    return model


def camera_of(model: Any) -> Any:
    """Give the camera of a model, where this version of napari keeps it."""
    return model.scene.camera if hasattr(model, "scene") else model.camera


def colour_of(layer: Any) -> str:
    """Give the colour of a layer as #rrggbb: the bright end of its colormap."""
    red, green, blue = (round(255 * float(part)) for part in layer.colormap.colors[-1][:3])
    return f"#{red:02x}{green:02x}{blue:02x}"


def colormap(colour: str) -> Any:
    """Give a napari colormap from black to a colour."""
    from napari.utils import Colormap

    return Colormap(["#000000", colour], name=colour)
