"""Figures against the truth that are the same for every program: they use its files alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.fourier.crop import fourier_resize
from engine.geometry import euler_to_matrix
from engine.reconstruction.alignment import align_maps, map_fsc_to_truth
from engine.reconstruction.refinement import pose_distance_deg
from engine.symmetry import point_group
from engine.validation.masks import refinement_mask
from engine.windows import soft_disc
from tests.benchmarks.data import DIAMETER_A, SYMMETRY, projections

Volume = NDArray[np.float32]


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
    averages: Volume, classes: NDArray[np.integer], pixel_size_A: float, true_rotations: NDArray[np.floating]
) -> dict[str, float]:
    """Likeness of class averages to true projections, and of the views that a class holds to each other.

    Parameters
    ----------
    averages : (C, n, n)
    classes : (count,) class of each particle, from 0.
    true_rotations : (count, 3, 3)
    """
    used = np.unique(classes)
    shares = np.array([np.mean(classes == c) for c in used])
    likeness = best_correlations(averages[used], pixel_size_A, np.full(len(used), 14.0))
    spread = np.array([_view_spread_deg(true_rotations[classes == c]) for c in used])
    return {
        "classes used": float(len(used)),
        "average against projection to 14 Å": float(shares @ likeness),
        "view spread in a class, °": float(shares @ spread),
    }


def best_correlations(averages: Volume, pixel_size_A: float, resolution_A: NDArray[np.floating]) -> NDArray[np.float64]:
    """Largest correlation of each average with any projection, turned and shifted, to a resolution of its own.

    Both are compared within the particle's disc, in boxes whose Nyquist frequency is that resolution.
    """
    field_A = averages.shape[-1] * pixel_size_A
    boxes = np.clip(2 * np.round(field_A / resolution_A).astype(int), 16, averages.shape[-1])
    best = np.zeros(len(averages))
    for box in np.unique(boxes):
        best[boxes == box] = _best_in_box(averages[boxes == box], int(box), field_A / box)
    return best


def _best_in_box(averages: Volume, box: int, pixel_size_A: float) -> NDArray[np.float64]:
    disc = soft_disc(box, DIAMETER_A / 2 / pixel_size_A, 1.0)
    images = _standard(fourier_resize(averages.astype(np.float32), box), disc)
    patterns = _standard(projections(box, pixel_size_A), disc)
    spectra = np.conj(np.fft.rfft2(images))
    best = np.full(len(images), -1.0)
    for start in range(0, len(patterns), 500):
        ft = np.fft.rfft2(patterns[start : start + 500])
        for i, spectrum in enumerate(spectra):
            best[i] = max(best[i], float(np.fft.irfft2(ft * spectrum, (box, box)).max()))
    return best


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
