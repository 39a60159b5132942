"""Expectation and maximisation for particles of one half."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace
from engine.fourier.disc import HalfDisc
from engine.poses.candidates import Candidates, Images, Level
from engine.poses.means import mean_pose, merged, near_first
from engine.poses.search import global_search, refine_candidates
from engine.reconstruction.accumulator import Accumulator
from engine.reconstruction.fourier_volume import FourierVolume, extract_slices
from engine.reconstruction.image_coefficients import ImageCoefficients
from engine.reconstruction.sums import BATCH, PassSums
from engine.refinement.defocus_search import defocus_offsets
from engine.refinement.plan import SearchPlan

_INSERTED = 128
_LEAST_SHARE = 0.05
_ALIKE = 4.0
_NEAR_DEG = 6.0
_MARGINS = ((4.0, 0.04), (6.0, 0.08), (10.0, 0.2), (10.0, 0.3))
"""What candidates may be worse than the best one by before the last level, the one before it and so on: a number of its
own and a share of what the best pose explains, because a coarse grid misses a share of that. Before the last level the
ancestors of the best poses lacked 2 % at most, before the others 4 and 12 %."""


@dataclass(frozen=True)
class PassResult:
    """What one pass over particles gives, in the order of their indices.

    Attributes
    ----------
    rotations, shifts_px, confidence, scale, defocus_shift_A
        Of each particle (see `RefinementState`); scale is relative to the reference.
    """

    rotations: NDArray[np.float64]
    shifts_px: NDArray[np.float64]
    confidence: NDArray[np.float64]
    scale: NDArray[np.float64]
    defocus_shift_A: NDArray[np.float64]

    @classmethod
    def joined(cls, parts: Sequence[PassResult]) -> PassResult:
        """Put results of several passes one after the other."""
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def process_particles(
    store: ImageCoefficients,
    indices: NDArray[np.intp],
    reference: FourierVolume,
    noise: NDArray[np.float64],
    scale: NDArray[np.float64],
    start_poses: tuple[NDArray[np.float64], NDArray[np.float64]],
    plan: SearchPlan,
    sums: PassSums,
) -> PassResult:
    """Find the poses of some particles and add their slices to the sums.

    Parameters
    ----------
    store : ImageCoefficients
    indices : (h,)
        The particles, all of one half.
    reference : FourierVolume
        Masked reference.
    noise : (n // 2 + 1,)
        Power of the noise on each shell.
    scale : (h,)
        Contrast of each image.
    start_poses : (h, 3, 3) and (h, 2)
        Rotations and shifts in px.
    plan : SearchPlan
    sums : PassSums
        Takes the slices, out to its radius, and what the reference leaves unexplained.
    """
    disc = store.disc
    inserted = disc.count_within(sums.slices.radius_px)
    power = store.xp.asarray(np.maximum(noise, 1e-30).astype(np.float32)[disc.shell])
    parts = []
    for start in range(0, len(indices), BATCH):
        part = slice(start, start + BATCH)
        coefficients, ctf = store.batch(indices[part])
        ctf = ctf * store.xp.asarray(scale[part].astype(np.float32))[:, None]
        images = Images(coefficients * (ctf / power), ctf * ctf / power, disc)
        found = find_poses(reference, images, (start_poses[0][part], start_poses[1][part]), plan)
        insert_candidates(sums.slices, images, found, inserted, plan.alike_deg)
        factor = np.median(found.scale[:, 0]) if plan.free_scale else 1.0
        sums.residual.add_images(_residual_power(reference, coefficients, ctf * np.float32(factor), disc, found))
        offsets_A = np.zeros(len(coefficients))
        if plan.defocus_range_A > 0:
            observed, slices = _best_pair(reference, coefficients, disc, found)
            slices = slices * store.xp.asarray(scale[part].astype(np.float32))[:, None]
            noise_power = power[: slices.shape[1]]
            offsets_A = defocus_offsets(
                store.original, disc, indices[part], observed, slices, noise_power, plan.defocus_range_A
            )
        parts.append(PassResult(*summarise(found), found.scale[:, 0], offsets_A))
    return PassResult.joined(parts)


def find_poses(
    reference: FourierVolume, images: Images, poses: tuple[NDArray[np.float64], NDArray[np.float64]], plan: SearchPlan
) -> Candidates:
    """Search as planned; the best orientations of each image come first.

    Parameters
    ----------
    reference : FourierVolume
    images : Images
        m images.
    poses : (m, 3, 3) and (m, 2)
        Rotations and shifts in px to begin from.
    plan : SearchPlan
    """
    rotations, shifts = poses
    score = np.zeros((len(rotations), 1))
    found = Candidates(rotations[:, None], shifts[:, None].astype(np.float32), score, score)
    if plan.orientations is None:
        return _descend(reference, images, found, plan.levels, plan.free_scale)
    about = found.shifts_px[:, 0] if plan.about_last else None
    spread = global_search(
        reference, images, plan.orientations, plan.shifts_px, plan.radius_px, plan.keep, plan.free_scale, about
    )
    if plan.about_last:
        here = Level(plan.radius_px, np.eye(3)[None], np.zeros((1, 2), np.float32), 1)
        spread = spread.joined(refine_candidates(reference, images, found, here, np.inf, plan.free_scale))
    if plan.undecided is None:
        return _descend(reference, images, spread, plan.levels, plan.free_scale)
    # an image that many orientations fit alike says nothing of which is right: it goes in with all of them
    undecided = (spread.score > spread.score[:, :1] - _ALIKE).sum(axis=1) > plan.descend
    clear, vague = np.flatnonzero(~undecided), np.flatnonzero(undecided)
    parts = []
    if len(clear):
        start = spread.take(clear).best(plan.descend)
        parts.append(_descend(reference, images.take(clear), start, plan.levels, plan.free_scale))
    if len(vague):
        start = spread.take(vague)
        parts.append(
            refine_candidates(reference, images.take(vague), start, plan.undecided, 2 * _ALIKE, plan.free_scale)
        )
    return Candidates.stacked(parts).take(np.argsort(np.concatenate([clear, vague]), kind="stable"))


def _descend(
    reference: FourierVolume, images: Images, found: Candidates, levels: Sequence[Level], free_scale: bool
) -> Candidates:
    """Subdivide candidates level after level."""
    for remaining, level in zip(range(len(levels) - 1, -1, -1), levels, strict=True):
        base, share = _MARGINS[min(remaining, len(_MARGINS) - 1)]
        margin = base + share * np.maximum(found.score[:, :1], 0)
        found = refine_candidates(reference, images, found, level, margin, free_scale)
    return found


def summarise(candidates: Candidates) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return one rotation, shift and confidence for each image.

    The pose is the posterior mean over the candidates near the best one: less rough than the grid of the search.

    Returns
    -------
    rotations (m, 3, 3), shifts (m, 2) in px, confidence (m,)
    """
    weight = candidates.posterior()
    pose = mean_pose(candidates, weight * near_first(candidates.rotations, _NEAR_DEG))
    return *pose, weight[:, 0]


def insert_candidates(
    accumulator: Accumulator, images: Images, found: Candidates, count: int, alike_deg: float
) -> None:
    """Add each image to the sums in its best poses, weighted by the posterior; those that are alike go in as one.

    Parameters
    ----------
    accumulator : Accumulator
        Changed in place.
    images : Images
    found : Candidates
        Of each image, best first.
    count : int
        Coefficients that are summed, a prefix of the disc.
    alike_deg : float
        Poses that differ by less are put together.
    """
    xp = array_namespace(images.weighted)
    weight = found.posterior()[:, :_INSERTED]
    weight[weight < _LEAST_SHARE * weight[:, :1]] = 0
    weight /= weight.sum(axis=1, keepdims=True)
    rotations, shifts, weight = merged(found.best(_INSERTED), weight, alike_deg)
    owner, slot = np.nonzero(weight)
    for start in range(0, len(owner), 2 * BATCH):
        o, s = owner[start : start + 2 * BATCH], slot[start : start + 2 * BATCH]
        share = xp.asarray(weight[o, s].astype(np.float32))[:, None]
        ramps = images.disc.phase_ramps(xp.asarray(shifts[o, s]), count)
        which = xp.asarray(o)
        accumulator.insert(
            images.weighted[which, :count] * (ramps * share),
            images.ctf2[which, :count] * share,
            rotations[o, s],
            images.disc,
        )


def _residual_power(
    reference: FourierVolume, coefficients: Array, ctf: Array, disc: HalfDisc, found: Candidates
) -> Array:
    """Power (m, K) of what is left of each image when the reference in its best pose is subtracted."""
    xp = array_namespace(coefficients)
    observed, slices = _best_pair(reference, coefficients, disc, found)
    count = slices.shape[1]
    power = xp.abs(coefficients) ** 2
    power[:, :count] = xp.abs(observed - slices * ctf[:, :count]) ** 2
    return power


def _best_pair(reference: FourierVolume, coefficients: Array, disc: HalfDisc, found: Candidates) -> tuple[Array, Array]:
    """Images centred by their best shift, and slices (m, K) in their best orientation, as far as the reference goes."""
    xp = array_namespace(coefficients)
    count = disc.count_within(reference.radius_px)
    ramps = disc.phase_ramps(xp.asarray(found.shifts_px[:, 0]), count)
    return coefficients[:, :count] * ramps, extract_slices(reference, found.rotations[:, 0], disc, count)
