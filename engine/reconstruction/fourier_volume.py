"""A volume's transform, ready to be cut into central slices."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

import numpy as np
from numpy.typing import ArrayLike

from engine.arrays import Array, array_namespace, is_gpu
from engine.fourier.disc import HalfDisc
from engine.kernels.slices import cube_radius
from engine.reconstruction.half_cube import divide_by_gridding, padded_size, to_half_cube


@dataclass(frozen=True)
class FourierVolume:
    """Half cube of a volume, cropped to the frequencies that are needed.

    Attributes
    ----------
    data : (2 R + 1, 2 R + 1, R + 1) complex64
        Frequency origin at ``[R, R, 0]``; the half with x < 0 is the Friedel mate.
    padding : float
        Voxels of ``data`` per frequency step of the box.
    box_px : int
        Side of the unpadded volume.
    radius_px : float
        Slices may reach this frequency (steps of the box).
    """

    data: Array
    padding: float
    box_px: int
    radius_px: float


def slice_kernels(array: Array) -> ModuleType:
    """Return the module of slice kernels for the device that holds ``array``."""
    if is_gpu(array):
        return import_module("engine.kernels.slices_cuda")  # needs CuPy
    from engine.kernels import slices

    return slices


def fourier_volume(volume: Array, padding: float = 2.0, radius_px: float | None = None) -> FourierVolume:
    """Transform a volume for slicing: divide out the interpolation's effect, pad with zeros, transform, crop.

    Parameters
    ----------
    volume : (n, n, n)
        Real volume, centre at ``n // 2``.
    padding : float
        Zero padding in real space; interpolation errors fall with its square.
    radius_px : float or None
        Highest frequency that will be asked for; None takes all (n / 2).

    Raises
    ------
    ValueError
        When the volume is no cube.
    """
    if volume.ndim != 3 or len(set(volume.shape)) != 1:
        raise ValueError(f"The volume has shape {tuple(volume.shape)}; expected a cube (n, n, n).")
    xp = array_namespace(volume)
    box_px = int(volume.shape[0])
    padded_px = padded_size(box_px, padding)
    scale = padded_px / box_px
    radius = float(box_px / 2 if radius_px is None else min(radius_px, box_px / 2))
    prepared = divide_by_gridding(xp.astype(volume, xp.float32), padded_px)
    return FourierVolume(to_half_cube(prepared, padded_px, cube_radius(scale, radius)), scale, box_px, radius)


def extract_slices(fv: FourierVolume, rotations: ArrayLike, disc: HalfDisc, count: int | None = None) -> Array:
    """Return central slices of a volume: the transforms of its projections (phase origin at the image centre).

    Parameters
    ----------
    fv : FourierVolume
    rotations : (m, 3, 3)
        Projection matrices of `engine.geometry.euler_to_matrix`.
    disc : HalfDisc
        Frequencies wanted.
    count : int or None
        Only the first ``count`` coefficients (a lower resolution).

    Returns
    -------
    (m, K) complex64

    Raises
    ------
    ValueError
        When the disc reaches beyond the volume's radius.
    """
    number = len(disc.kx) if count is None else count
    _check_disc(disc, number, fv.box_px, fv.radius_px)
    kernels = slice_kernels(fv.data)
    matrices = np.ascontiguousarray(rotations, np.float32)
    return kernels.extract_slices(fv.data, fv.padding, matrices, disc.kx[:number], disc.ky[:number])


def _check_disc(disc: HalfDisc, count: int, box_px: int, radius_px: float) -> None:
    if disc.box_px != box_px:
        raise ValueError(f"The disc is of a {disc.box_px} px box, the volume of {box_px} px; they must be the same.")
    if count and float(disc.radius[count - 1]) > radius_px + 1e-3:
        raise ValueError(
            f"The disc reaches {disc.radius[count - 1]:.1f} Fourier px, the volume only {radius_px:.1f}: "
            "transform it with a larger radius_px."
        )
