"""Maps on their way from a file to the screen: read, quantised to 8 bits, packed."""

from __future__ import annotations

import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import to_numpy
from engine.display import to_uint8
from engine.volume_display import bin_volume, contour_floor, level_histogram, suggested_contour, volume_to_uint8
from spa_widgets.errors import UserError
from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.viewers import sources

LONGEST_PX = 256  # larger maps are binned for the screen
BRIGHT = 0.6  # of the range of values; few voxels lie above
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

    @property
    def contrast(self) -> tuple[float, float]:
        """Map values of black and white for a first look at slices: the density of interest is bright."""
        return self.low, self.low + BRIGHT * (self.high - self.low)

    def facts(self) -> dict[str, Any]:
        """What a view needs to know besides the levels."""
        return {
            "shape": list(self.levels.shape[::-1]), "low": self.low, "high": self.high, "mean": self.mean,
            "std": self.std, "pixel_size_A": self.pixel_size_A, "histogram": self.histogram,
        }  # fmt: skip


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


def pack_between(volume: NDArray[np.float32], low: float, high: float) -> tuple[dict[str, Any], bytes]:
    """Pack a map whose values colour another one: all 256 levels lie between the first and the last colour."""
    factor = max(1, -(-max(volume.shape) // LONGEST_PX))
    levels = to_uint8(bin_volume(volume, factor) if factor > 1 else volume, low, high)
    return {"shape": list(levels.shape[::-1]), "low": low, "high": high}, zlib.compress(levels.tobytes(), 6)


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
    if volume.ndim == 2:
        raise UserError(f"{name} is a picture of shape {volume.shape}; give a volume, or show it with ImageViewer")
    if volume.ndim != 3 or min(volume.shape) < 4:
        raise UserError(f"{name} has the shape {volume.shape}; give a volume of at least 4 voxels on each side")
    return volume, pixel_size_A or size or 1.0, name


def mrc_bytes(volume: NDArray[np.float32], pixel_size_A: float) -> bytes:
    """Give a map as the content of an MRC file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.mrc"
        write_mrc(path, volume, pixel_size_A)
        return path.read_bytes()
