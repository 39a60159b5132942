"""Figures against the truth that are the same for every program: they use its files alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.alignment.align import align_maps, map_fsc_to_truth
from engine.fourier.crop import fourier_resize
from engine.geometry import euler_to_matrix
from engine.poses.grid import global_orientations, rotation_from_vector
from engine.refinement.refine import pose_distance_deg
from engine.simulation.atoms import Atoms
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import project_atoms
from engine.symmetry import point_group
from engine.validation.masks import refinement_mask
from engine.windows import soft_disc
from tests.benchmarks.data import DIAMETER_A, SYMMETRY

Volume = NDArray[np.float32]

_GRID_DEG, _COARSE_A = 10.0, 20.0
_STARTS, _HALVINGS = 3, 2


def truth_mask(truth: Volume, pixel_size_A: float) -> Volume:
    """Soft mask about the true map."""
    return refinement_mask(truth, pixel_size_A, 0.1, 6.0, 14.0)


def map_figures(volume: Volume, truth: Volume, pixel_size_A: float, check_hand: bool = True) -> dict[str, float]:
    """Resolution at which a map agrees with the truth inside the mask of the truth, after alignment."""
    found = align_maps(volume, truth, pixel_size_A, SYMMETRY, check_hand=check_hand)
    mask = truth_mask(truth, pixel_size_A)
    compared = map_fsc_to_truth(found.aligned, truth, pixel_size_A, SYMMETRY, mask, align=False)
    return {"FSC 0.5 with truth, Å": compared["resolution_05_A"]}


def pose_figures(
    volume: Volume,
    truth: Volume,
    pixel_size_A: float,
    angles_deg: NDArray[np.floating],
    true_rotations: NDArray[np.floating],
) -> dict[str, float]:
    """Error of poses after the map's own turn against the truth (free about a symmetry axis) is taken away."""
    turn = align_maps(volume, truth, pixel_size_A, SYMMETRY, check_hand=False).rotation
    found = euler_to_matrix(angles_deg) @ turn.T
    error = pose_distance_deg(found, np.asarray(true_rotations), SYMMETRY)
    return {
        "median pose error, °": float(np.median(error)),
        "poses within 5°": float(np.mean(error < 5.0)),
    }


def class_figures(
    averages: Volume,
    classes: NDArray[np.integer],
    pixel_size_A: float,
    true_rotations: NDArray[np.floating],
    is_junk: NDArray[np.bool_],
) -> dict[str, float]:
    """Likeness of class averages to true projections, and of the views that a class holds to each other.

    Parameters
    ----------
    averages : (C, n, n)
    classes : (count,) class of each particle, from 0.
    true_rotations : (count, 3, 3)
    is_junk : (count,) images of something else; likeness and spread are those of classes of particles, over particles.
    """
    counts = np.stack(
        [np.bincount(classes[is_junk == junk], minlength=len(averages)) for junk in (False, True)], axis=1
    )
    used = np.flatnonzero((counts[:, 0] > 0) & (counts[:, 0] >= counts[:, 1]))
    shares = counts[used, 0] / counts[used, 0].sum()
    likeness = best_correlations(averages[used], pixel_size_A, np.full(len(used), 14.0))
    spread = np.array([_view_spread_deg(true_rotations[(classes == c) & ~is_junk]) for c in used])
    purity = {"images in classes of their kind": counts.max(axis=1).sum() / counts.sum()} if is_junk.any() else {}
    return purity | {
        "classes used": float(np.count_nonzero(counts.sum(axis=1))),
        "average against projection to 14 Å": float(shares @ likeness),
        "view spread in a class, °": float(shares @ spread),
    }


def best_correlations(
    averages: Volume,
    pixel_size_A: float,
    resolution_A: NDArray[np.floating],
    atoms: Atoms | None = None,
    symmetry: str = SYMMETRY,
    diameter_A: float = DIAMETER_A,
) -> NDArray[np.float64]:
    """Largest correlation of each average with any projection, turned and shifted, to a resolution of its own.

    Both are compared within the particle's disc, in boxes whose Nyquist frequency is that resolution. Orientations are
    found at 20 Å on a grid of 10° and then refined to 2.5°: at fine detail the next projection of the grid is
    already another one.

    Parameters
    ----------
    averages : (C, n, n)
    pixel_size_A : their Å per px.
    resolution_A : (C,)
    atoms, symmetry, diameter_A : the particle; the channel in its nanodisc by default.
    """
    model = channel_in_nanodisc() if atoms is None else atoms
    field_A = averages.shape[-1] * pixel_size_A
    boxes = np.clip(2 * np.round(field_A / resolution_A).astype(int), 16, averages.shape[-1])
    coarse = int(np.clip(2 * round(field_A / _COARSE_A), 16, averages.shape[-1]))
    grid = global_orientations(_GRID_DEG, symmetry)
    found = _Compared(averages, coarse, field_A, diameter_A).with_all(model, grid)
    starts = grid[np.argsort(-found, axis=1)[:, :_STARTS]]
    each = [_Compared(averages[i : i + 1], int(box), field_A, diameter_A) for i, box in enumerate(boxes)]
    return np.array([_refined(one, model, mine) for one, mine in zip(each, starts, strict=True)])


def _refined(compared: _Compared, atoms: Atoms, starts: NDArray[np.float64]) -> float:
    """Best correlation of one average near some orientations."""
    turns = np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    best, step_deg = -1.0, _GRID_DEG / 2
    for _ in range(_HALVINGS):
        tried = (rotation_from_vector(step_deg * turns)[None] @ starts[:, None]).reshape(-1, 3, 3)
        values = compared.with_all(atoms, tried)[0]
        best, starts = max(best, float(values.max())), tried[np.argsort(-values)[:2]]
        step_deg /= 2
    return best


class _Compared:
    """Averages in a box, and their correlation with projections."""

    def __init__(self, averages: Volume, box_px: int, field_A: float, diameter_A: float) -> None:
        self._box_px, self._pixel_A = box_px, field_A / box_px
        self._disc = soft_disc(box_px, diameter_A / 2 / self._pixel_A, 1.0)
        self._spectra = np.conj(
            np.fft.rfft2(_standard(fourier_resize(averages.astype(np.float32), box_px), self._disc))
        )

    def with_all(self, atoms: Atoms, rotations: NDArray[np.float64]) -> NDArray[np.float64]:
        """Correlation ``(C, m)`` of each average with each projection, at the best shift."""
        n, parts = self._box_px, []
        for start in range(0, len(rotations), 500):
            some = rotations[start : start + 500]
            views = _standard(project_atoms(atoms, some, np.zeros((len(some), 2)), n, self._pixel_A), self._disc)
            ft = np.fft.rfft2(views)
            parts.append([np.fft.irfft2(ft * spectrum, (n, n)).max(axis=(1, 2)) for spectrum in self._spectra])
        return np.concatenate(parts, axis=1)


def _standard(images: NDArray[np.floating], disc: NDArray[np.floating]) -> NDArray[np.float64]:
    """Zero mean and unit square within a disc."""
    level = (images * disc).sum(axis=(1, 2), keepdims=True) / disc.sum()
    centred = (images - level) * disc
    norm = np.sqrt((centred**2).sum(axis=(1, 2), keepdims=True))
    return centred / np.maximum(norm, 1e-12)


def _view_spread_deg(rotations: NDArray[np.floating]) -> float:
    """Median angle between the viewing directions of pairs, symmetry taken into account."""
    if len(rotations) < 2:
        return 0.0
    views: NDArray[np.float64] = np.asarray(rotations)[:, 2, :]
    mates: Sequence[NDArray[np.float64]] = [views @ operator for operator in point_group(SYMMETRY)]
    cosine = np.max([views @ mate.T for mate in mates], axis=0)
    upper = np.triu_indices(len(views), 1)
    return float(np.median(np.degrees(np.arccos(np.clip(cosine[upper], -1, 1)))))
