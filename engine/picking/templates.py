"""Template banks: every class average at every in-plane angle, on the grid of the picker.

A bank is made once for a data set; `TemplateBank.kernels` adds what changes from one micrograph to the next, its CTF.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from engine.arrays import Array, array_namespace
from engine.ctf.model import ctf
from engine.fourier.crop import fourier_resize
from engine.fourier.transforms import irfft2, rfft2
from engine.optics import Defocus, Optics
from engine.picking.grid import band_pass, frequencies_per_A
from engine.picking.span import Span, mixed_kernels, span_of
from engine.windows import cosine_edge

WINDOW_DIAMETERS = 1.7
"""Side of a template's window in particle diameters: room for the CTF to spread density before the mask."""

COMPARED_DIAMETERS = 1.6
"""Diameter of the disc that is compared, in particle diameters. The contrast between a particle and a rim of ice says
more about where a particle lies than its inside does, and half of a faint object's signal lies in its fringes."""


@dataclass(frozen=True)
class TemplateBank:
    """Rotated templates before the CTF.

    Parameters
    ----------
    images : (m, n, n) float32, protein white, masked, low-passed.
    weight : (n, n) float32 in [0, 1]: the pixels that take part in the comparison.
    class_number : (m,) int32, 1-based number of the average that each image comes from.
    psi_deg : (m,) float32 in-plane angle (rlnAnglePsi).
    pixel_size_A : coarse pixel size along (y, x).
    low_pass_A : resolution kept.
    span : basis of the images, where they are many.
    """

    images: Array
    weight: Array
    class_number: NDArray[np.int32]
    psi_deg: NDArray[np.float32]
    pixel_size_A: tuple[float, float]
    low_pass_A: float
    span: Span | None = None

    def to(self, xp: Array) -> TemplateBank:
        """Return the same bank with its arrays in the library `xp`."""
        return TemplateBank(
            xp.asarray(self.images),
            xp.asarray(self.weight),
            self.class_number,
            self.psi_deg,
            self.pixel_size_A,
            self.low_pass_A,
            None if self.span is None else self.span.to(xp),
        )

    def kernels(self, defocus: Defocus | None, optics: Optics | None) -> Array:
        """Correlation kernels for one micrograph.

        Each template t is multiplied by the CTF (when `defocus` is given), loses its weighted mean and is scaled so
        that Σ w t² = 1; the kernel is w t.

        Returns
        -------
        (m, n, n) float32.
        """
        return _normalised(self._seen(self.images, defocus, optics), self.weight)

    def few_kernels(self, defocus: Defocus | None, optics: Optics | None) -> tuple[Array, Array | None]:
        """Kernels (k, n, n) to correlate with, and the mix (m, k) that makes those of all templates; None if k = m."""
        if self.span is None:
            return self.kernels(defocus, optics), None
        return mixed_kernels(self._seen(self.span.images, defocus, optics), self.span.mix, self.weight)

    def _seen(self, images: Array, defocus: Defocus | None, optics: Optics | None) -> Array:
        """Images of the bank's size through the CTF, where it is known."""
        if defocus is None or optics is None:
            return images
        xp, side = array_namespace(images), images.shape[-1]
        ky, kx = frequencies_per_A((side, side), self.pixel_size_A)
        curve = np.reshape(ctf(kx, ky, defocus, optics), (side, side // 2 + 1)).astype(np.float32)
        return irfft2(rfft2(images) * xp.asarray(curve), (side, side))


def _normalised(images: Array, weight: Array) -> Array:
    """Kernels w t of zero weighted mean and unit weighted square."""
    xp = array_namespace(images)
    total = weight.sum()
    centred = images - ((images * weight).sum(axis=(-2, -1)) / total)[:, None, None]
    square = (centred * centred * weight).sum(axis=(-2, -1))
    return centred * weight / xp.sqrt(xp.maximum(square, xp.float32(1e-20)))[:, None, None]


def template_bank(
    averages: NDArray[np.float32],
    pixel_size_A: float,
    coarse_pixel_size_A: tuple[float, float],
    diameter_A: float,
    low_pass_A: float = 20.0,
    angle_step_deg: float | None = None,
) -> TemplateBank:
    """Build a bank from class averages.

    The averages may have any box and pixel size; they are low-passed, masked at the particle's diameter and sampled in
    one spline interpolation at the grid's pixel size and every in-plane angle.

    Parameters
    ----------
    averages : (k, n, n) class averages, protein white, centred at n//2.
    pixel_size_A : their pixel size.
    coarse_pixel_size_A : pixel size of the picking grid along (y, x).
    diameter_A : particle diameter: the averages are masked to it.
    low_pass_A : resolution kept in the templates.
    angle_step_deg : in-plane step; where None, that of `sufficient_step_deg`.

    Raises
    ------
    ValueError
        If the averages are not square images, are blank, or are smaller than the particle.
    """
    wanted_deg = sufficient_step_deg(diameter_A, low_pass_A) if angle_step_deg is None else angle_step_deg
    stack = _checked(averages, pixel_size_A, diameter_A, wanted_deg)
    finest = min(pixel_size_A, low_pass_A / 5.0)
    smooth, step_A = _low_passed(stack, pixel_size_A, low_pass_A, finest)
    smooth = _masked(smooth, step_A, diameter_A, low_pass_A)
    side = window_side_px(diameter_A, coarse_pixel_size_A)
    angles = np.arange(0.0, 360.0, 360.0 / max(1, round(360.0 / wanted_deg)), dtype=np.float32)
    rotated = np.concatenate([_rotations(image, step_A, coarse_pixel_size_A, side, angles) for image in smooth])
    rotated = rotated.astype(np.float32)
    return TemplateBank(
        images=rotated,
        weight=disc_weight(side, COMPARED_DIAMETERS * diameter_A, coarse_pixel_size_A),
        class_number=np.repeat(np.arange(1, len(stack) + 1, dtype=np.int32), len(angles)),
        psi_deg=np.tile(angles, len(stack)),
        pixel_size_A=coarse_pixel_size_A,
        low_pass_A=low_pass_A,
        span=span_of(rotated, coarse_pixel_size_A),
    )


def sufficient_step_deg(diameter_A: float, low_pass_A: float) -> float:
    """In-plane step at which the rim of a particle moves by one period of the low-pass, at most 20°.

    No view is then further than half a period from a template at the rim, a quarter half way to the centre. Finer steps
    find nothing more: noise has more templates to resemble, too.
    """
    return min(20.0, float(np.rad2deg(2.0 * np.arctan(low_pass_A / diameter_A))))


def window_side_px(diameter_A: float, pixel_size_A: tuple[float, float]) -> int:
    """Even side of a template's window in coarse pixels."""
    return 2 * int(np.ceil(WINDOW_DIAMETERS * diameter_A / (2.0 * min(pixel_size_A)))) + 2


def distance_A(side: int, pixel_size_A: tuple[float, float]) -> NDArray[np.float32]:
    """(side, side) distance from the window's centre in Å."""
    steps = np.arange(side, dtype=np.float32) - side // 2
    return np.hypot(steps[:, None] * pixel_size_A[0], steps[None, :] * pixel_size_A[1]).astype(np.float32)


def disc_weight(side: int, diameter_A: float, pixel_size_A: tuple[float, float]) -> NDArray[np.float32]:
    """Disc of the particle's diameter whose rim is one coarse pixel wide."""
    edge_A = 0.5 * sum(pixel_size_A)
    return cosine_edge(distance_A(side, pixel_size_A) - (0.5 * diameter_A - 0.5 * edge_A), edge_A).astype(np.float32)


def _checked(
    averages: NDArray[np.float32], pixel_size_A: float, diameter_A: float, angle_step_deg: float
) -> NDArray[np.float32]:
    stack = np.asarray(averages, dtype=np.float32)
    stack = stack[None] if stack.ndim == 2 else stack
    if stack.ndim != 3 or stack.shape[-1] != stack.shape[-2] or len(stack) == 0:
        raise ValueError(f"Templates must be a stack of square images; found an array of shape {stack.shape}.")
    if stack.shape[-1] * pixel_size_A < diameter_A:
        raise ValueError(
            f"The templates are {stack.shape[-1] * pixel_size_A:.0f} Å wide, smaller than the particle diameter of "
            f"{diameter_A:g} Å; use averages with a larger box or reduce the diameter."
        )
    if not 0 < angle_step_deg <= 360:
        raise ValueError(f"The in-plane step must lie between 0 and 360 degrees; found {angle_step_deg:g}.")
    blank = [i + 1 for i, image in enumerate(stack) if not np.isfinite(image).all() or np.ptp(image) == 0]
    if blank:
        raise ValueError(f"Template {blank[0]} is blank or holds values that are not numbers; remove it.")
    return stack


def _low_passed(
    stack: NDArray[np.float32], pixel_size_A: float, low_pass_A: float, finest_A: float
) -> tuple[NDArray[np.float32], float]:
    """Low-pass, and up-sample by an integer factor where the averages are too coarse to interpolate well."""
    box = stack.shape[-1]
    factor = int(np.ceil(pixel_size_A / finest_A - 1e-6))
    smooth = np.fft.rfft2(stack) * band_pass((box, box), (pixel_size_A, pixel_size_A), low_pass_A, None)
    if factor == 1:
        return irfft2(smooth.astype(np.complex64), (box, box)), pixel_size_A
    fine = fourier_resize(irfft2(smooth.astype(np.complex64), (box, box)), box * factor)
    return fine, pixel_size_A / factor


def _masked(
    stack: NDArray[np.float32], pixel_size_A: float, diameter_A: float, low_pass_A: float
) -> NDArray[np.float32]:
    """Subtract the level just outside the particle and fade to zero there."""
    side = stack.shape[-1]
    distance = distance_A(side, (pixel_size_A, pixel_size_A))
    rim = (distance > 0.5 * diameter_A) & (distance < 0.5 * diameter_A + low_pass_A)
    level = stack[:, rim].mean(axis=1) if rim.any() else np.zeros(len(stack), np.float32)
    mask = cosine_edge(distance - 0.5 * diameter_A, 0.5 * low_pass_A)
    return ((stack - level[:, None, None]) * mask).astype(np.float32)


def _rotations(
    image: NDArray[np.float32],
    pixel_size_A: float,
    coarse_pixel_size_A: tuple[float, float],
    side: int,
    angles_deg: NDArray[np.float32],
) -> NDArray[np.float32]:
    """One image at every angle psi: output (x, y) takes the input at (c x - s y, s x + c y)."""
    coefficients = ndimage.spline_filter(image, order=3, output=np.float32)
    steps = np.arange(side) - side // 2
    y, x = steps[:, None] * coarse_pixel_size_A[0], steps[None, :] * coarse_pixel_size_A[1]
    centre = image.shape[-1] // 2
    out = np.empty((len(angles_deg), side, side), np.float32)
    for i, psi in enumerate(np.deg2rad(angles_deg)):
        source = np.stack([np.sin(psi) * x + np.cos(psi) * y, np.cos(psi) * x - np.sin(psi) * y])
        ndimage.map_coordinates(coefficients, source / pixel_size_A + centre, output=out[i], order=3, prefilter=False)
    return out
