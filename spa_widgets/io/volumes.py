"""Maps as the steps use them: cubes of one size with a stated pixel size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from spa_widgets.errors import UserError
from spa_widgets.io.mrc import finite, read_mrc

_TOLERANCE = 1e-3


def read_volume(path: str | Path) -> tuple[NDArray[Any], float]:
    """Read a cubic map and its pixel size in Å.

    Raises
    ------
    UserError
        When the file is no cubic map, states no pixel size, is constant or holds what is no number.
    """
    volume, pixel_size_A = read_mrc(path)
    if volume.ndim != 3 or len(set(volume.shape)) != 1:
        raise UserError(f"{path} has the shape {volume.shape}; expected a cubic map: crop or pad it first.")
    if pixel_size_A <= 0:
        raise UserError(f"{path} states no pixel size; expected it in the MRC header: write it there first.")
    finite(volume, path)
    if volume.min() == volume.max():
        raise UserError(f"{path} is {volume.flat[0] + 0.0:g} everywhere; expected a map with density: make it again.")
    return volume, pixel_size_A


def read_mask(path: str | Path) -> tuple[NDArray[Any], float]:
    """Read a mask, a cubic map with values from 0 to 1, and its pixel size in Å.

    Raises
    ------
    UserError
        When it is no cubic map, states no pixel size, or its values are those of no mask.
    """
    mask, pixel_size_A = read_volume(path)
    check_mask(mask, path)
    return mask, pixel_size_A


def check_mask(mask: NDArray[Any], path: str | Path) -> None:
    """Check that values are those of a mask: from 0 to 1.

    Raises
    ------
    UserError
        When they are not.
    """
    if mask.min() < -_TOLERANCE or mask.max() > 1 + _TOLERANCE:
        raise UserError(
            f"{path} has values from {mask.min():.3g} to {mask.max():.3g}; expected a mask, from 0 to 1: make one of "
            "the map by a threshold."
        )


def read_volumes(*paths: str | Path) -> tuple[list[NDArray[Any]], float]:
    """Read maps that lie on one grid, and the pixel size in Å.

    Raises
    ------
    UserError
        When their boxes or pixel sizes differ.
    """
    read = [read_volume(path) for path in paths]
    first, pixel_size_A = read[0]
    for path, (volume, size_A) in zip(paths, read, strict=True):
        if volume.shape != first.shape or abs(size_A / pixel_size_A - 1) > _TOLERANCE:
            raise UserError(
                f"{path} is {volume.shape[0]} px of {size_A:g} Å, but {paths[0]} is {first.shape[0]} px of "
                f"{pixel_size_A:g} Å; resample one of them first."
            )
    return [volume for volume, _ in read], pixel_size_A
