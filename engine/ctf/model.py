"""The contrast transfer function (CTF), with RELION's sign.

``ctf = sin(π λ Δf k² − π/2 Cs λ³ k⁴ + φ + asin w)``: equal to the amplitude contrast ``w`` at zero frequency and
positive at low frequency for underfocus, so particles are white on dark once the contrast of the micrograph is
inverted. Wade, Ultramicroscopy 46, 145 (1992); Rohou & Grigorieff, J Struct Biol 192, 216 (2015).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.arrays import Array, array_namespace
from engine.fourier.disc import HalfDisc
from engine.fourier.grids import rfft_frequencies_px
from engine.optics import Defocus, Optics


def _column(value: Any, dimensions: int) -> Any:
    """Give a per-image array trailing axes so that it broadcasts over the grid."""
    if isinstance(value, np.ndarray) and value.ndim:
        return value.reshape(value.shape + (1,) * dimensions).astype(np.float64)
    return float(value)


def ctf(kx_per_A: Array, ky_per_A: Array, defocus: Defocus, optics: Optics) -> Array:
    """Evaluate the CTF on a grid of spatial frequencies.

    Parameters
    ----------
    kx_per_A, ky_per_A : array, shape grid (broadcastable)
        Spatial frequencies in 1/Å.
    defocus, optics : Defocus, Optics
        Numbers, or arrays of shape ``(m,)`` for ``m`` images.

    Returns
    -------
    array, shape (m, *grid) or grid
        float32, in the library of ``kx_per_A``.
    """
    xp = array_namespace(kx_per_A)
    kx, ky = xp.broadcast_arrays(kx_per_A, ky_per_A)
    kx, ky = xp.astype(kx, xp.float64), xp.astype(ky, xp.float64)
    dimensions = kx.ndim
    # the phase is a quadratic form plus a quartic: evaluated as products of per-image constants and grids
    lam = _column(np.asarray(optics.wavelength_A), dimensions)
    mean = _column(defocus.mean_A, dimensions)
    half_difference = _column(defocus.astigmatism_A, dimensions) * 0.5
    twice_angle = np.deg2rad(_column(defocus.angle_deg, dimensions)) * 2
    k2 = kx * kx + ky * ky
    pi_lambda = np.pi * lam
    quadratic = _on(xp, pi_lambda * mean)
    cosine = _on(xp, pi_lambda * half_difference * np.cos(twice_angle))
    sine = _on(xp, pi_lambda * half_difference * np.sin(twice_angle))
    quartic = _on(xp, 0.5 * np.pi * lam**3 * 1e7 * _column(optics.cs_mm, dimensions))
    offset = _on(
        xp,
        np.deg2rad(_column(defocus.phase_shift_deg, dimensions))
        + np.arcsin(_column(optics.amplitude_contrast, dimensions)),
    )
    phase = quadratic * k2 + cosine * (kx * kx - ky * ky) + sine * (2 * kx * ky) - quartic * (k2 * k2) + offset
    return xp.astype(xp.sin(phase), xp.float32)


def _on(xp: Any, value: Any) -> Any:
    return xp.asarray(value) if isinstance(value, np.ndarray) else float(value)


def ctf_rfft2(
    box_px: int | tuple[int, int], pixel_size_A: float, defocus: Defocus, optics: Optics, xp: Any = np
) -> Array:
    """Evaluate the CTF on half spectra of images.

    Parameters
    ----------
    box_px : int or (int, int)
        Side of square images, or ``(h, w)``.
    pixel_size_A : float
        Å per px.
    defocus, optics : Defocus, Optics
        Numbers, or arrays of shape ``(m,)``.
    xp : module
        Array namespace of the result.

    Returns
    -------
    array, shape (m, h, w // 2 + 1) or (h, w // 2 + 1)
        float32.
    """
    shape = (box_px, box_px) if isinstance(box_px, int) else box_px
    ky, kx = (xp.asarray(k.astype(np.float64) / pixel_size_A) for k in rfft_frequencies_px(shape))
    return ctf(kx, ky, defocus, optics)


def ctf_on_disc(disc: HalfDisc, pixel_size_A: float, defocus: Defocus, optics: Optics, xp: Any = np) -> Array:
    """Evaluate the CTF on the coefficients of a `HalfDisc`: ``(m, K)`` float32 (``(K,)`` for one image).

    Parameters
    ----------
    disc : HalfDisc
        K coefficients.
    pixel_size_A : float
        Å per px of the images.
    defocus, optics : Defocus, Optics
        Of one image or of m.
    xp : namespace
        Array library of the result.
    """
    scale = 1.0 / (disc.box_px * pixel_size_A)
    kx = xp.asarray(disc.kx.astype(np.float64) * scale)
    ky = xp.asarray(disc.ky.astype(np.float64) * scale)
    return ctf(kx, ky, defocus, optics)
