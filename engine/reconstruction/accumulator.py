"""Sums over particles from which a volume is solved: weighted slices in, Wiener-filtered volume out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.arrays import Array, array_namespace, on, to_numpy
from engine.fourier.disc import HalfDisc
from engine.kernels.slices import cube_radius
from engine.kernels.threads import split_range
from engine.reconstruction.fourier_volume import _check_disc, slice_kernels
from engine.reconstruction.half_cube import (
    COLUMNS,
    column_shells,
    divide_by_gridding,
    first_plane,
    from_columns,
    padded_size,
)
from engine.symmetry import point_group

_WEIGHT_FLOOR = 1e-3


class Accumulator:
    """Numerator and denominator of a reconstruction, on a half cube.

    Slices enter as ``CTF · x · ramp / σ²`` with weights ``CTF² / σ²``; accumulators of parts of the data add up.
    The volume is their ratio with a prior in the denominator (Scheres, J Mol Biol 415, 406, 2012).

    Parameters
    ----------
    box_px : int
        Side of the volume.
    padding : float
        Oversampling of the transform.
    radius_px : float or None
        Highest frequency that will be inserted; None for all.
    xp : module
        Array namespace that holds the sums.
    """

    def __init__(self, box_px: int, padding: float = 2.0, radius_px: float | None = None, xp: Any = np) -> None:
        self.box_px = box_px
        self.padded_px = padded_size(box_px, padding)
        self.padding = self.padded_px / box_px
        self.radius_px = float(box_px / 2 if radius_px is None else min(radius_px, box_px / 2))
        self.radius = cube_radius(self.padding, self.radius_px)
        shape = (2 * self.radius + 1, 2 * self.radius + 1, self.radius + 1)
        self.numerator: Array = xp.zeros(shape, dtype=xp.complex64)
        self.denominator: Array = xp.zeros(shape, dtype=xp.float32)

    def insert(self, coefficients: Array, weights: Array, rotations: ArrayLike, disc: HalfDisc) -> None:
        """Add slices in place.

        Parameters
        ----------
        coefficients : (m, K) complex64
            ``CTF · x · ramp / σ²``; K may be a prefix of the disc.
        weights : (m, K) float32
            ``CTF² / σ²``.
        rotations : (m, 3, 3)
            Projection matrices.
        disc : HalfDisc
        """
        xp = array_namespace(self.numerator)
        count = int(coefficients.shape[1])
        _check_disc(disc, count, self.box_px, self.radius_px)
        slice_kernels(self.numerator).insert_slices(
            xp.astype(coefficients, xp.complex64),
            xp.astype(weights, xp.float32),
            np.ascontiguousarray(rotations, np.float32),
            disc.kx[:count],
            disc.ky[:count],
            self.padding,
            self.numerator,
            self.denominator,
        )

    def _like(self, numerator: Array, denominator: Array) -> Accumulator:
        result = object.__new__(Accumulator)
        result.__dict__.update(self.__dict__, numerator=numerator, denominator=denominator)
        return result

    def scaled(self, factor: float) -> Accumulator:
        """Return the sums times ``factor`` (for running sums that forget)."""
        return self._like(self.numerator * np.float32(factor), self.denominator * np.float32(factor))

    def __add__(self, other: Accumulator) -> Accumulator:
        self._check_like(other)
        return self._like(self.numerator + other.numerator, self.denominator + other.denominator)

    def add(self, other: Accumulator) -> None:
        """Add other sums in place: no memory for a third."""
        self._check_like(other)
        self.numerator += other.numerator
        self.denominator += other.denominator

    def on(self, xp: Any) -> Accumulator:
        """Return the same sums where an array namespace has its arrays."""
        return self._like(on(xp, self.numerator), on(xp, self.denominator))

    def _check_like(self, other: Accumulator) -> None:
        if (self.box_px, self.padded_px, self.radius) != (other.box_px, other.padded_px, other.radius):
            raise ValueError("Accumulators of different box, padding or radius cannot be added.")

    def symmetrised(self, operators: str | ArrayLike) -> Accumulator:
        """Return the sums over the rotations of a point group.

        Parameters
        ----------
        operators : str or (s, 3, 3)
            Name of the group or its rotations, identity included.
        """
        xp = array_namespace(self.numerator)
        group = point_group(operators) if isinstance(operators, str) else np.asarray(operators)
        if len(group) == 1:
            return self
        onto_grid, others = _factors(group)
        kernels = slice_kernels(self.numerator)
        sums = self.numerator, self.denominator
        # half the plane x = 0 lies in its mate: complete while it is read, halved again so that sums stay additive
        planes = [xp.asarray(array[:, :, 0], copy=True) for array in sums]
        for array in sums:
            array[:, :, 0] = first_plane(array)
        try:
            for part, radius in ((onto_grid, 2.0 * self.radius), (others, float(self.radius - 1))):
                if len(part) > 1:
                    sums = kernels.symmetrise(*sums, np.ascontiguousarray(part, np.float32), radius)
        finally:
            self.numerator[:, :, 0], self.denominator[:, :, 0] = planes
        half = xp.asarray(0.5, dtype=xp.float32)
        for array in sums:
            array[:, :, 0] *= half
        return self._like(*sums)

    def _columns(self, cube: Array, start: int, stop: int) -> Array:
        """Columns of a cube (a copy), the plane x = 0 complete."""
        part = array_namespace(cube).asarray(cube[:, :, start:stop], copy=True)
        if start == 0:
            part[:, :, 0] = first_plane(cube)
        return part

    def _shells(self, distance: NDArray[np.float32], most: int) -> NDArray[np.int16]:
        return np.minimum(np.rint(distance), most).astype(np.int16)

    def _mean_weights(self) -> NDArray[np.float64]:
        """Mean weight of the voxels of each shell."""
        length = self.box_px // 2 + 2  # the last takes all beyond the last shell
        sums, counts = np.zeros(length), np.zeros(length)
        for start, stop in split_range(self.radius + 1, COLUMNS):
            shells = self._shells(column_shells(self.radius, self.padding, start, stop), length - 1).ravel()
            counts += np.bincount(shells, minlength=length)
            weights = to_numpy(self._columns(self.denominator, start, stop))
            sums += np.bincount(shells, weights.ravel(), minlength=length)
        return (sums / np.maximum(counts, 1))[:-1]

    def solve(self, ssnr: ArrayLike | None = None, radius_px: float | None = None) -> Array:
        """Return the volume: numerator / (denominator + mean weight of the shell / SSNR).

        Parameters
        ----------
        ssnr : (n // 2 + 1,) or None
            Signal-to-noise ratio expected on each shell, ``FSC / (1 - FSC)`` for one of the halves that gave the
            FSC and ``2 FSC / (1 - FSC)`` for both together: the Wiener prior. None solves without a prior (a floor of a
            thousandth of a shell's mean weight keeps empty voxels finite).
        radius_px : float or None
            Frequencies beyond it are zero; None for all that were inserted.

        Returns
        -------
        (n, n, n) float32
        """
        xp = array_namespace(self.numerator)
        mean = self._mean_weights()
        added = np.zeros(len(mean)) if ssnr is None else mean / np.maximum(np.asarray(ssnr, np.float64), 1e-6)
        added = added.astype(np.float32)
        floor = np.maximum(_WEIGHT_FLOOR * mean, np.finfo(np.float32).tiny).astype(np.float32)
        limit = (self.radius_px if radius_px is None else min(radius_px, self.radius_px)) + 0.5 / self.padding

        def quotient(start: int, stop: int) -> Array:
            distance = column_shells(self.radius, self.padding, start, stop)
            shells = self._shells(distance, len(mean) - 1)
            weight = self._columns(self.denominator, start, stop)
            if ssnr is not None:
                weight = weight + xp.asarray(added[shells])
            weight = xp.maximum(weight, xp.asarray(floor[shells]))
            inside = xp.asarray((distance <= limit).astype(np.float32))
            return self._columns(self.numerator, start, stop) * (inside / weight)

        volume = from_columns(quotient, self.radius, self.box_px, self.padded_px, xp)
        return divide_by_gridding(volume, self.padded_px)

    def to_dict(self) -> dict[str, Any]:
        """Return the sums as arrays and numbers."""
        return {
            "box_px": self.box_px,
            "padding": self.padding,
            "radius_px": self.radius_px,
            "numerator": to_numpy(self.numerator),
            "denominator": to_numpy(self.denominator),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], xp: Any = np) -> Accumulator:
        """Rebuild an accumulator from `to_dict`."""
        result = cls(int(data["box_px"]), float(data["padding"]), float(data["radius_px"]), xp)
        result.numerator = xp.asarray(data["numerator"])
        result.denominator = xp.asarray(data["denominator"])
        return result


def _factors(group: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Split a point group into the operators that map the grid onto itself and one of each coset of theirs.

    The sum over the group is the sum over the second applied to the sum over the first, and the first needs no
    interpolation: C8 reads each voxel four times as it is and interpolates once.
    """
    rounded = np.rint(group)
    exact = np.abs(group - rounded).max(axis=(1, 2)) < 1e-6
    onto_grid = rounded[exact]
    representatives: list[NDArray[np.float64]] = []
    covered = np.zeros(len(group), bool)
    for index, operator in enumerate(group):
        if covered[index]:
            continue
        representatives.append(rounded[index] if exact[index] else operator)
        mates = onto_grid @ operator
        covered |= (np.abs(group[:, None] - mates[None]).max(axis=(2, 3)) < 1e-6).any(axis=1)
    return onto_grid, np.stack(representatives)
