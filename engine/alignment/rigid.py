"""Rigid motions of maps: resampling in real space and sampling a map's Fourier transform at any point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from engine.arrays import Array, array_namespace, to_numpy
from engine.fourier.crop import fourier_resize_volume
from engine.fourier.filters import low_pass


def transform_volume(
    volume: Array, rotation: NDArray[np.floating], shift_px: NDArray[np.floating], order: int = 5
) -> Array:
    """Rotate a map about its centre, then move it: ``out(r) = volume(rotation.T @ (r - shift))``.

    Parameters
    ----------
    volume : (n, n, n) real array, indexed z, y, x; its centre is voxel n//2.
    rotation : (3, 3) rotation matrix acting on x, y, z.
    shift_px : (3,) displacement x, y, z applied after the rotation, in voxels.
    order : degree of the interpolating spline (5 keeps amplitudes to within 2 % up to 70 % of Nyquist).

    Returns
    -------
    (n, n, n) float32 array of the same library; what comes from outside the box is 0.
    """
    xp = array_namespace(volume)
    cube = np.asarray(to_numpy(volume), dtype=np.float32)
    to_source = np.asarray(rotation, dtype=np.float64).T[::-1, ::-1]
    centre = np.array([n // 2 for n in cube.shape], dtype=np.float64)
    shift = np.asarray(shift_px, dtype=np.float64)[::-1]
    offset = centre - to_source @ (centre + shift)
    moved = ndimage.affine_transform(cube, to_source, offset, order=order, mode="constant", output=np.float32)
    return xp.asarray(moved)


def mirror_volume(volume: Array) -> Array:
    """Mirror a map in z about its centre voxel: the other hand. (n, n, n) -> (n, n, n)."""
    xp = array_namespace(volume)
    flipped = xp.flip(volume, axis=0)
    return xp.roll(flipped, 1, axis=0) if volume.shape[0] % 2 == 0 else flipped


def centre_of_mass_px(volume: Array) -> NDArray[np.float64]:
    """Centre of a map's strong density relative to voxel n//2: (3,) x, y, z in voxels.

    Only what lies above a fifth of the maximum of the (already low-passed) map counts, so that a noisy background
    does not pull the centre towards the middle of the box.
    """
    cube = np.asarray(to_numpy(volume), dtype=np.float64)
    strong = np.clip(cube - 0.2 * cube.max(), 0.0, None)
    total = strong.sum()
    if total <= 0:
        return np.zeros(3)
    axes = [np.arange(n, dtype=np.float64) - n // 2 for n in cube.shape]
    sums = [strong.sum(axis=tuple(a for a in range(3) if a != axis)) for axis in (2, 1, 0)]
    return np.array([s @ axes[axis] / total for s, axis in zip(sums, (2, 1, 0), strict=True)])


class FourierSampler:
    """A map's Fourier transform, to be read at any frequency within a resolution.

    The map is Fourier-cropped to what the resolution needs, padded twofold in real space (which makes its transform
    smooth on the grid) and interpolated by splines. Frequencies are counted in 1/box, so they mean the same for maps
    of one box size whatever the resolution.

    Parameters
    ----------
    volume : (n, n, n) real array.
    radius_px : largest frequency that will be asked for, in 1/box.
    order : 1 (fast, for wide searches) or 3 (for refinement).
    """

    def __init__(self, volume: Array, radius_px: float, order: int) -> None:
        cube = np.asarray(to_numpy(volume), dtype=np.float32)
        n = cube.shape[0]
        self.order = order
        size = min(n, 2 * (int(np.ceil(radius_px)) + 2))
        self.scale = n / size
        small = np.asarray(fourier_resize_volume(cube, size)) if size != n else cube
        padded = np.zeros((2 * size,) * 3, dtype=np.float32)
        low = size - size // 2
        padded[low : low + size, low : low + size, low : low + size] = small
        spectrum = fft.fftshift(fft.fftn(fft.ifftshift(padded))) * (1.0 / size**3)
        parts = [np.ascontiguousarray(spectrum.real), np.ascontiguousarray(spectrum.imag)]
        if order > 1:
            parts = [ndimage.spline_filter(p, order, mode="grid-wrap", output=np.float32) for p in parts]
        self._parts = parts
        self._centre = float(size)

    def __call__(self, frequencies: NDArray[np.floating]) -> NDArray[np.complex64]:
        """Values at frequencies (..., 3) x, y, z in 1/box: (...,) complex64."""
        points = 2.0 * np.moveaxis(np.asarray(frequencies), -1, 0)[::-1] + self._centre
        options = {"order": self.order, "mode": "grid-wrap", "prefilter": False, "output": np.float32}
        real, imag = (ndimage.map_coordinates(p, points, **options) for p in self._parts)
        return (real + 1j * imag).astype(np.complex64)


def half_sphere(radius_px: float, r_min_px: float = 1.0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Integer frequencies with ``r_min <= |k| <= radius``, one of each Hermitian pair.

    Returns
    -------
    points (m, 3) x, y, z in 1/box; shells (m,) the rounded radius of each.
    """
    r = int(np.floor(radius_px))
    axis = np.arange(-r, r + 1)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    points = np.stack([x, y, z], axis=-1).reshape(-1, 3).astype(np.float64)
    length = np.sqrt((points**2).sum(axis=1))
    half = (points[:, 0] > 0) | ((points[:, 0] == 0) & (points[:, 1] > 0))
    half |= (points[:, 0] == 0) & (points[:, 1] == 0) & (points[:, 2] > 0)
    keep = half & (length >= r_min_px) & (length <= radius_px)
    return points[keep], np.rint(length[keep]).astype(np.int64)


def match_grid(volume: Array, pixel_size_A: float, box_px: int, new_pixel_size_A: float) -> NDArray[np.float32]:
    """Bring a map onto another grid, its centre kept, without aliasing.

    Parameters
    ----------
    volume : (n, n, n) map of `pixel_size_A`.
    pixel_size_A, new_pixel_size_A : voxel sizes before and after.
    box_px : side after.

    Returns
    -------
    (box, box, box) float32, 0 where the old box did not reach.
    """
    cube = np.asarray(to_numpy(volume), dtype=np.float32)
    ratio = new_pixel_size_A / pixel_size_A
    if cube.shape == (box_px,) * 3 and abs(ratio - 1) < 1e-4:
        return cube
    if ratio > 1:  # detail that the coarser grid cannot carry would come back as something else
        cube = np.asarray(low_pass(cube, pixel_size_A, 2.0 * new_pixel_size_A, ndim=3))
    offset = np.full(3, cube.shape[0] // 2 - ratio * (box_px // 2))
    return ndimage.affine_transform(cube, np.full(3, ratio), offset, (box_px,) * 3, np.float32, order=5)
