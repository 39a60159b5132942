"""Maps that are given to a step: the reference of a refinement, and half maps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engine.alignment.symmetry_axis import find_symmetry
from engine.checks.contrast import map_contrast
from engine.fourier.shells import fourier_shell_correlation
from engine.reconstruction.half_maps import resample_volume
from engine.symmetry import point_group
from spa_widgets.guard.finding import Finding
from spa_widgets.guard.maps import symmetry_warnings
from spa_widgets.io.volumes import read_volume, read_volumes

_LEAST_SCALE, _MOST_SCALE = 0.4, 4.0
_SURELY_BLACK = -0.5
_MOST_PX = 64
_TOO_ALIKE = 0.9995


def reference_findings(path: Path, box_px: int, pixel_size_A: float, symmetry: str) -> Iterator[Finding]:
    """Tell what looks wrong about the initial model of a refinement.

    Parameters
    ----------
    path : Path
    box_px : int
    pixel_size_A : float
        Of the particles.
    symmetry : str
        Point group whose axes are looked for; ``C1`` for none.
    """
    volume, map_A = read_volume(path)
    side, box_A = volume.shape[0], box_px * pixel_size_A
    if not _LEAST_SCALE <= side * map_A / box_A <= _MOST_SCALE:
        about = {"map_A": map_A, "side": side, "map_extent_A": side * map_A, "box_A": box_A}
        yield Finding("map_scale", name=path.name, **about)
        return
    small_px = min(box_px, _MOST_PX)
    small_A = box_A / small_px
    small = np.asarray(resample_volume(volume, map_A, small_px, small_A), np.float32)
    sure = map_contrast(small)
    if sure < _SURELY_BLACK:
        yield Finding("black_map", name=path.name, sure=-sure)
    elif len(point_group(symmetry)) > 1:
        yield from symmetry_warnings(small, find_symmetry(small, small_A, symmetry), small_A, symmetry)


def half_map_findings(first: Path, second: Path) -> Iterator[Finding]:
    """Tell whether two half maps agree where independent ones cannot."""
    (half_a, half_b), _ = read_volumes(first, second)
    curve = fourier_shell_correlation(half_a, half_b)
    finest = curve[2 * len(curve) // 3 :]
    correlation = float(finest.mean()) if len(finest) else 0.0
    if correlation > _TOO_ALIKE:
        yield Finding("same_halves", first=first.name, second=second.name, correlation=correlation)
