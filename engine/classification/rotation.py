"""In-plane rotation between images and discs of Fourier coefficients, and its adjoint.

Rotating an image is evaluating its spectrum on a rotated grid. A Kaiser–Bessel kernel four samples wide on a spectrum
sampled twice as finely does that to about 1e-3 (Beatty, Nishimura & Pauly, IEEE TMI 24, 799, 2005). The map is
linear and stays the same through a classification, so it is one sparse matrix for all angles; its transpose puts
measured coefficients back.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import i0

from engine.arrays import Array, array_namespace, scipy_module
from engine.fourier.disc import HalfDisc
from engine.fourier.transforms import irfft2_centred, rfft2_centred

_KEPT_MATRICES = 3
"""The shared coarse part, the working resolution and what is summed: memory is bounded."""
_WIDTH = 4
_OVERSAMPLING = 2
_BETA = float(np.pi * np.sqrt((_WIDTH / _OVERSAMPLING) ** 2 * (_OVERSAMPLING - 0.5) ** 2 - 0.8))


class DiscRotation:
    """Coefficients of images turned by each of a set of angles.

    The image of a particle at angle psi shows frequency ``k`` of the class average at ``Aᵀ k``, with ``A`` the
    matrix of the Euler angles (0, 0, psi).

    Parameters
    ----------
    disc : HalfDisc
        Coefficients wanted; its box is that of the class averages.
    angles_deg : array, shape (A,)
        In-plane angles psi.
    xp : module
        Array namespace of the images to rotate.
    """

    def __init__(self, disc: HalfDisc, angles_deg: NDArray[np.floating], xp: Any = np) -> None:
        self.disc = disc
        self.angles_deg = np.asarray(angles_deg, np.float64)
        self._xp = xp
        n = disc.box_px
        self._fine_px = _OVERSAMPLING * n
        self._reach = min(int(np.ceil(disc.radius_px * _OVERSAMPLING)) + _WIDTH // 2, n - 1)
        self._side = 2 * self._reach + 1
        data, indices = _taps(disc, self.angles_deg, self._reach)
        self._entries = (xp.asarray(data), xp.asarray(indices))
        self._apodisation = xp.asarray(_kernel_transform(n))
        self._cache: OrderedDict[int, tuple[Any, Any]] = OrderedDict()

    def _matrices(self, count: int) -> tuple[Any, Any]:
        """Return the matrix for the first ``count`` coefficients and its transpose (both row-compressed)."""
        if count not in self._cache:
            data, indices = self._entries
            sparse = scipy_module(data, "sparse")
            rows, taps = count * len(self.angles_deg), _WIDTH**2
            pointers = self._xp.arange(0, (rows + 1) * taps, taps, dtype=self._xp.int32)
            forward = sparse.csr_matrix(
                (data[: rows * taps], indices[: rows * taps], pointers), shape=(rows, self._side**2)
            )
            self._cache[count] = forward, forward.T
            while len(self._cache) > _KEPT_MATRICES:
                self._cache.popitem(last=False)
        self._cache.move_to_end(count)
        return self._cache[count]

    def forward(self, images: Array, count: int | None = None) -> Array:
        """Return the coefficients of rotated images.

        Parameters
        ----------
        images : array, shape (m, n, n)
            Real images, empty towards the corners.
        count : int, optional
            Only this many coefficients (a prefix of the disc).

        Returns
        -------
        array, shape (m, A, count)
            complex64.
        """
        xp = array_namespace(images)
        count = len(self.disc) if count is None else count
        m, n = images.shape[0], self.disc.box_px
        padded = xp.zeros((m, self._fine_px, self._fine_px), dtype=xp.float32)
        start = self._fine_px // 2 - n // 2
        padded[:, start : start + n, start : start + n] = images / self._apodisation
        plane = self._to_plane(rfft2_centred(padded))
        columns = as_real(xp, xp.permute_dims(plane, (1, 0)))
        turned = as_complex(xp, self._matrices(count)[0] @ columns)
        turned = xp.reshape(turned, (count, len(self.angles_deg), m))
        return _contiguous(xp, xp.permute_dims(turned, (2, 1, 0)))

    def adjoint(self, coefficients: Array) -> Array:
        """Turn coefficients back and add them over the angles: the transpose of `forward`.

        Parameters
        ----------
        coefficients : array, shape (m, A, count)
            complex64, a prefix of the disc.

        Returns
        -------
        array, shape (m, n, n)
            Real images whose spectrum is the sum of the coefficients, each at its place (and its Hermitian mate).
        """
        xp = array_namespace(coefficients)
        m, angles, count = coefficients.shape
        turned = _contiguous(xp, xp.permute_dims(coefficients, (2, 1, 0)))
        columns = as_real(xp, xp.reshape(turned, (count * angles, m)))
        plane = as_complex(xp, self._matrices(count)[1] @ columns)
        spectra = self._from_plane(_contiguous(xp, xp.permute_dims(plane, (1, 0))))
        n, start = self.disc.box_px, self._fine_px // 2 - self.disc.box_px // 2
        images = irfft2_centred(spectra, (self._fine_px, self._fine_px))[:, start : start + n, start : start + n]
        return xp.astype(images * (_OVERSAMPLING**2) / self._apodisation, xp.float32)

    def _to_plane(self, spectra: Array) -> Array:
        """Cut the full square of frequencies ``(m, side²)`` out of half spectra."""
        xp, reach = array_namespace(spectra), self._reach
        rows = xp.asarray(np.arange(-reach, reach + 1) % self._fine_px)
        right = xp.take(spectra[:, :, : reach + 1], rows, axis=1)
        left = xp.conj(xp.flip(right[:, :, 1:], axis=(1, 2)))
        return xp.reshape(xp.concat([left, right], axis=2), (spectra.shape[0], -1))

    def _from_plane(self, plane: Array) -> Array:
        """Put a full square of frequencies, made Hermitian, into half spectra."""
        xp, reach = array_namespace(plane), self._reach
        square = xp.reshape(plane, (plane.shape[0], self._side, self._side))
        square = square + xp.conj(xp.flip(square, axis=(1, 2)))
        spectra = xp.zeros((plane.shape[0], self._fine_px, self._fine_px // 2 + 1), dtype=xp.complex64)
        rows = xp.asarray(np.arange(-reach, reach + 1) % self._fine_px)
        spectra[:, rows, : reach + 1] = square[:, :, reach:]
        return spectra


def _taps(disc: HalfDisc, angles_deg: NDArray[np.float64], reach: int) -> tuple[NDArray, NDArray]:
    """Return kernel weights and places in the square for each (coefficient, angle), 16 each, flat."""
    psi = np.deg2rad(angles_deg)[None, :]
    kx, ky = disc.kx.astype(np.float64)[:, None], disc.ky.astype(np.float64)[:, None]
    x = _OVERSAMPLING * (np.cos(psi) * kx - np.sin(psi) * ky)
    y = _OVERSAMPLING * (np.sin(psi) * kx + np.cos(psi) * ky)
    wx, column = _taps_1d(x, reach)
    wy, row = _taps_1d(y, reach)
    data = (wy[..., :, None] * wx[..., None, :]).astype(np.float32)
    indices = row[..., :, None] * np.int32(2 * reach + 1) + column[..., None, :]
    return data.reshape(-1), indices.reshape(-1)


def _taps_1d(position: NDArray[np.float64], reach: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    first = np.floor(position).astype(np.int32) - (_WIDTH // 2 - 1)
    offsets = np.arange(_WIDTH, dtype=np.int32)
    distance = position[..., None] - (first[..., None] + offsets)
    inside = np.clip(1 - (2 * distance / _WIDTH) ** 2, 0, 1)
    weight = i0(_BETA * np.sqrt(inside)) / i0(_BETA)
    places = np.clip(first[..., None] + offsets + reach, 0, 2 * reach)
    return weight.astype(np.float32), places.astype(np.int32)


def _kernel_transform(box_px: int) -> NDArray[np.float32]:
    """Return what the kernel does to an image in real space, ``(n, n)``: images are divided by it."""
    x = (np.arange(box_px) - box_px // 2) / (_OVERSAMPLING * box_px)
    z = np.sqrt(_BETA**2 - (np.pi * _WIDTH * x) ** 2)
    curve = _WIDTH * np.sinh(z) / (z * i0(_BETA))
    return np.outer(curve, curve).astype(np.float32)


def _contiguous(xp: Any, x: Array) -> Array:
    return xp.reshape(xp.reshape(x, (-1,)), x.shape)


def as_real(xp: Any, x: Array) -> Array:
    """View complex64 ``(rows, m)`` as float32 ``(rows, 2 m)``."""
    return _contiguous(xp, x).view(xp.float32)


def as_complex(xp: Any, x: Array) -> Array:
    """View float32 ``(rows, 2 m)`` as complex64 ``(rows, m)``."""
    return _contiguous(xp, x).view(xp.complex64)
