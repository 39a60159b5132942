"""Sampling of a classification: working box, disc, in-plane angles and shifts, and the images on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array
from engine.classification.options import ClassificationOptions
from engine.classification.rotation import DiscRotation
from engine.fourier.disc import HalfDisc
from engine.fourier.transforms import rfft2_centred
from engine.particles import Particles
from engine.windows import soft_disc

_NYQUIST_FRACTION = 0.9
_CACHE_BYTES = 96 << 20
_IMAGES_AT_ONCE = 256
COARSE_FACTOR = 3
"""The fine in-plane step is the coarse one divided by this."""


@dataclass
class Sampling:
    """Where images and class averages are sampled.

    Attributes
    ----------
    box_px, pixel_size_A : int, float
        Working box: the particles' field of view with as few pixels as the finest detail needs.
    disc : HalfDisc
        Coefficients of the working box up to the finest detail.
    rotation : DiscRotation
        All fine in-plane angles.
    coarse_shifts_px, fine_shifts_px : arrays, shape (s, 2)
        Shifts in working px, on a coarse grid and on one of 1 px, within a circle.
    fine_neighbours : array, shape (4, s)
        For each fine shift the one to its left, right, above and below (itself where the circle ends).
    coarse_radius_px : float
        Working resolution of the coarse search in Fourier px.
    shared_shell : int
        Last shell for which even and odd particles share their references.
    mask : array, shape (box, box)
        Soft circular mask of class averages.
    """

    box_px: int
    pixel_size_A: float
    disc: HalfDisc
    rotation: DiscRotation
    coarse_shifts_px: NDArray[np.float32]
    fine_shifts_px: NDArray[np.float32]
    fine_neighbours: NDArray[np.intp]
    coarse_radius_px: float
    shared_shell: int
    mask: NDArray[np.float32]
    xp: Any = np
    _ramps: dict[str, Array] = field(default_factory=dict)

    def ramps(self, kind: str) -> Array:
        """Return the phase ramps ``(s, K)`` of the ``"coarse"`` or ``"fine"`` shifts."""
        if kind not in self._ramps:
            shifts = self.coarse_shifts_px if kind == "coarse" else self.fine_shifts_px
            count = self.disc.count_within(self.coarse_radius_px) if kind == "coarse" else None
            self._ramps[kind] = self.disc.phase_ramps(self.xp.asarray(shifts), count)
        return self._ramps[kind]

    @property
    def shared(self) -> int:
        """How many coefficients, a prefix of the disc, even and odd particles share their references for."""
        return self.disc.count_within(self.shared_shell + 0.5)

    def radius_of(self, resolution_A: float) -> float:
        """Return the Fourier radius in px of a resolution, within the disc."""
        return min(self.box_px * self.pixel_size_A / resolution_A, self.disc.radius_px)


def _working_box(box_px: int, radius_px: float) -> int:
    smallest = int(np.ceil(2 * radius_px / _NYQUIST_FRACTION))
    smallest += smallest % 2
    return smallest if smallest < 0.85 * box_px else box_px  # a little less is not worth another sampling


def make_sampling(particles: Particles, options: ClassificationOptions, xp: Any = np) -> Sampling:
    """Choose the sampling for a set of particles.

    Raises
    ------
    ValueError
        When the box is too small for the mask.
    """
    field_A = particles.box_px * particles.pixel_size_A
    if options.mask_diameter_A > field_A:
        raise ValueError(
            f"Mask diameter is {options.mask_diameter_A:g} Å but the box is only {field_A:g} Å wide: "
            "use a smaller mask, or extract larger boxes."
        )
    radius = min(field_A / options.max_resolution_A, _NYQUIST_FRACTION * particles.box_px / 2)
    box = _working_box(particles.box_px, radius)
    radius = min(radius, (box - 1) / 2)
    pixel_A = field_A / box
    disc = HalfDisc(box, radius)
    # one coarse step moves the rim of the mask by about one coarse resolution element: 7.5° at most
    coarse_A = max(options.mask_diameter_A / 8, options.max_resolution_A)
    angles = 48 * COARSE_FACTOR
    reach = max(1, int(np.ceil(options.shift_range_A / pixel_A)))
    step = max(1, int(coarse_A / 2.5 / pixel_A))
    fine_shifts = _shift_grid(reach, 1)
    edge_px = max(2.0, 8.0 / pixel_A)
    half = options.mask_diameter_A / 2 / pixel_A
    return Sampling(
        box_px=box,
        pixel_size_A=pixel_A,
        disc=disc,
        rotation=DiscRotation(disc, np.arange(angles) * (360.0 / angles), xp),
        coarse_shifts_px=_shift_grid(reach, step),
        fine_shifts_px=fine_shifts,
        fine_neighbours=_neighbours(fine_shifts),
        coarse_radius_px=min(field_A / coarse_A, radius),
        # whole shells: what one shell says of the halves must hold for all its coefficients
        shared_shell=int(field_A / options.independent_beyond_A),
        mask=soft_disc(box, max(half - edge_px / 2, 1.0), edge_px),
        xp=xp,
    )


def _shift_grid(reach: int, step: int) -> NDArray[np.float32]:
    """Return a grid of shifts ``(s, 2)`` symmetric about 0 within a circle."""
    axis = np.arange(-(reach // step), reach // step + 1) * float(step)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    inside = np.hypot(x, y) <= reach + 0.5
    return np.stack([x[inside], y[inside]], axis=1).astype(np.float32)


def _neighbours(shifts_px: NDArray[np.float32]) -> NDArray[np.intp]:
    place = {(float(x), float(y)): i for i, (x, y) in enumerate(shifts_px)}
    steps = ((-1, 0), (1, 0), (0, -1), (0, 1))
    rows = [[place.get((float(x + dx), float(y + dy)), i) for i, (x, y) in enumerate(shifts_px)] for dx, dy in steps]
    return np.asarray(rows, np.intp)


class DiscImages:
    """Coefficients and CTF of particle images on the disc of a sampling, kept when they are few.

    Parameters
    ----------
    particles : Particles
    sampling : Sampling
    workers : int
        How many share the particles, each with its part of them.
    """

    def __init__(self, particles: Particles, sampling: Sampling, workers: int = 1) -> None:
        self.particles, self.sampling = particles, sampling
        # the same frequencies in the same order, gathered from the larger spectrum: cropping for free
        self._source = HalfDisc(particles.box_px, sampling.disc.radius_px)
        self._scale = np.float32((sampling.box_px / particles.box_px) ** 2)
        self._known = np.zeros(particles.count, bool)
        shape, xp = (particles.count, len(sampling.disc)), sampling.xp
        self._kept: tuple[Array, Array] | None = None
        if shape[0] * shape[1] * 12 <= workers * _CACHE_BYTES:
            self._kept = xp.empty(shape, dtype=xp.complex64), xp.empty(shape, dtype=xp.float32)

    def block(self, indices: NDArray[np.intp]) -> tuple[Array, Array]:
        """Return coefficients ``(m, K)`` complex64 and CTF ``(m, K)`` float32 of some particles."""
        if self._kept is None:
            return self._make_all(indices)
        xp = self.sampling.xp
        missing = indices[~self._known[indices]]
        if len(missing):
            where = xp.asarray(missing)
            self._kept[0][where], self._kept[1][where] = self._make_all(missing)
            self._known[missing] = True
        wanted = xp.asarray(indices)
        return self._kept[0][wanted], self._kept[1][wanted]

    def _make_all(self, indices: NDArray[np.intp]) -> tuple[Array, Array]:
        xp = self.sampling.xp
        # whole images are many times larger than their coefficients: only a few of them at once
        pieces = chunks(indices, _IMAGES_AT_ONCE) or [indices]
        loaded = self.particles.batches_on(pieces, xp)
        parts = [self._make(piece, images) for piece, images in zip(pieces, loaded, strict=True)]
        return xp.concat([x for x, _ in parts], axis=0), xp.concat([c for _, c in parts], axis=0)

    def _make(self, indices: NDArray[np.intp], images: Array) -> tuple[Array, Array]:
        xp = self.sampling.xp
        spectra = rfft2_centred(images)
        x = self._source.gather(spectra) * self._scale
        return xp.astype(x, xp.complex64), self.particles.ctf_on_disc(self.sampling.disc, indices, xp)


def chunks(indices: NDArray[np.intp], size: int) -> list[NDArray[np.intp]]:
    """Cut indices into pieces of a fixed size (the last may be shorter)."""
    return [indices[start : start + size] for start in range(0, len(indices), size)]
