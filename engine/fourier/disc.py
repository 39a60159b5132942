"""A disc of Fourier coefficients as one vector: what scoring and reconstruction work on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace


class HalfDisc:
    """The Fourier coefficients of a half plane inside a working radius, sorted by radius.

    Each Hermitian pair stands once (``kx > 0``, or ``kx = 0`` and ``ky > 0``), the mean is left out, and
    coefficients are sorted by radius, so a lower working resolution is a prefix of the same vector.

    Parameters
    ----------
    box_px : int
        Side of the images.
    radius_px : float
        Largest frequency kept, in Fourier pixels (cycles per box); less than ``box_px / 2``.
    r_min_px : float
        Smallest frequency kept, in Fourier pixels.
    by_ring : bool
        Sort by whole rings of one pixel and by angle within a ring: neighbours in the vector are neighbours in the
        plane, so reading a slice of a large volume finds more in the cache; prefixes end with whole rings.

    Attributes
    ----------
    kx, ky : int16 array, shape (K,)
        Frequencies in cycles per box.
    shell : int32 array, shape (K,)
        Rounded radius of each coefficient.
    """

    def __init__(self, box_px: int, radius_px: float, r_min_px: float = 1.0, by_ring: bool = False) -> None:
        if not 0 < radius_px <= (box_px - 1) / 2:
            raise ValueError(
                f"Working radius is {radius_px} Fourier px; a box of {box_px} px allows up to {(box_px - 1) / 2}."
            )
        self.box_px = box_px
        self.radius_px = float(radius_px)
        reach = int(radius_px)
        ky, kx = np.meshgrid(np.arange(-reach, reach + 1), np.arange(0, reach + 1), indexing="ij")
        radius = np.hypot(ky, kx)
        half = (kx > 0) | (ky > 0)
        keep = half & (radius <= radius_px) & (radius >= r_min_px)
        kx, ky, radius = kx[keep], ky[keep], radius[keep]
        # what prefixes are counted by; the last ring ends where the disc does
        rank = np.minimum(np.ceil(radius), radius_px) if by_ring else radius
        order = np.lexsort((np.arctan2(ky, kx), rank)) if by_ring else np.lexsort((kx, ky, rank))
        self.kx: NDArray[np.int16] = kx[order].astype(np.int16)
        self.ky: NDArray[np.int16] = ky[order].astype(np.int16)
        self.radius: NDArray[np.float32] = radius[order].astype(np.float32)
        self.by_ring = by_ring
        self._rank = rank[order].astype(np.float32)
        self.shell: NDArray[np.int32] = np.rint(self.radius).astype(np.int32)
        self._row = np.where(self.ky < 0, self.ky + box_px, self.ky).astype(np.int64)
        self._flat = self._row * (box_px // 2 + 1) + self.kx

    def __len__(self) -> int:
        return len(self.kx)

    def count_within(self, radius_px: float) -> int:
        """Return how many coefficients lie within ``radius_px``: the length of that prefix."""
        return int(np.searchsorted(self._rank, radius_px, side="right"))

    def gather(self, images_ft: Array) -> Array:
        """Take the coefficients ``(m, K)`` out of half spectra ``(m, n, n // 2 + 1)``."""
        xp = array_namespace(images_ft)
        flat = xp.reshape(images_ft, (images_ft.shape[0], -1))
        return xp.take(flat, xp.asarray(self._flat), axis=1)

    def scatter(self, coefficients: Array) -> Array:
        """Put coefficients ``(m, K)`` back into half spectra ``(m, n, n // 2 + 1)``, zero elsewhere."""
        xp = array_namespace(coefficients)
        n, columns = self.box_px, self.box_px // 2 + 1
        images, count = coefficients.shape
        # read, not written: each place of the spectrum takes its coefficient, or the zero past the last one
        source = np.full(n * columns, count)
        source[self._flat[:count]] = np.arange(count)
        padded = xp.concat([coefficients, xp.zeros((images, 1), dtype=coefficients.dtype)], axis=1)
        spectra = xp.reshape(xp.take(padded, xp.asarray(source), axis=1), (images, n, columns))
        # the column kx = 0 holds both members of a pair: the other one is the complex conjugate
        mates = source.reshape(n, columns)[-np.arange(n) % n, 0]
        spectra[:, :, 0] += xp.conj(xp.take(padded, xp.asarray(mates), axis=1))
        return spectra

    def phase_ramps(self, shifts_px: Array, count: int | None = None) -> Array:
        """Return ``exp(-2πi k·t / n)`` for shifts ``(s, 2)`` (x, y in px): a product moves the image by +t.

        ``count`` limits the ramps to a prefix of the coefficients.
        """
        xp = array_namespace(shifts_px)
        shifts = xp.astype(shifts_px, xp.float32)
        # exp is dear and separable: once for each kx and ky that occurs, then products
        reach = int(self.radius_px)
        unit = xp.arange(-reach, reach + 1, dtype=xp.float32) * (2 * np.pi / self.box_px)
        ramps = []
        for axis, k in ((0, self.kx), (1, self.ky)):
            phase = shifts[:, axis, None] * unit[None, :]
            line = xp.astype(xp.cos(phase) - 1j * xp.sin(phase), xp.complex64)
            ramps.append(xp.take(line, xp.asarray(k[:count].astype(np.int64) + reach), axis=1))
        ramps[0] *= ramps[1]
        return ramps[0]
