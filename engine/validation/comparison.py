"""Two half maps compared again and again: what no mask changes is computed once and kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace, to_numpy
from engine.fourier.filters import low_pass_gain
from engine.fourier.shells import spectra_correlation
from engine.fourier.transforms import irfft3, rfft3
from engine.symmetry import point_group
from engine.validation.curves import (
    FSCCurves,
    corrected_error,
    corrected_fsc,
    correlation_error,
    independent_voxels,
    randomisation_start,
)
from engine.validation.masks import LOOSE, TIGHT, positive_maximum, soft_mask_from_inside, spherical_mask
from engine.validation.noise import randomised_spectrum

_SMOOTH_A = 15.0


@dataclass(frozen=True)
class _Compared:
    """A mask, the FSC inside it and the number of independent coefficients of each shell."""

    mask: NDArray[np.float32]
    curve: NDArray[np.float64]
    independent: NDArray[np.float64]


class HalfMapComparison:
    """FSC curves of two half maps in any number of masks.

    Kept are the no-mask curve, the curve in the sphere, the half maps with random phases and the smoothed mean that
    masks are made from; a new mask costs itself and four Fourier transforms.

    Parameters
    ----------
    half_a, half_b : (n, n, n) arrays
    pixel_size_A : float
    rng : numpy.random.Generator
        Draws the phases of the noise substitution.
    randomise_at_fsc : float
        Phases are randomised from the shell where the no-mask curve first drops below this: 0.143, or 0.8 as RELION
        does.
    symmetry : str
        Point group that was imposed on the maps: errors are larger by the square root of its order.

    Raises
    ------
    ValueError
        If the shapes differ or are not cubic.
    """

    def __init__(
        self,
        half_a: Array,
        half_b: Array,
        pixel_size_A: float,
        rng: np.random.Generator,
        randomise_at_fsc: float = 0.143,
        symmetry: str = "C1",
    ) -> None:
        check_cubes(half_a, half_b)
        self.halves = (half_a, half_b)
        self.pixel_size_A = float(pixel_size_A)
        n = int(half_a.shape[0])
        self.shape = (n, n, n)
        self._mates = len(point_group(symmetry))
        spectra = (rfft3(half_a), rfft3(half_b))
        no_mask = spectra_correlation(spectra[0], spectra[1], self.shape)
        self._no_mask = _Compared(np.ones((1, 1, 1), np.float32), no_mask, self._independent())
        self.start = randomisation_start(no_mask, randomise_at_fsc)
        self._mean = 0.5 * (spectra[0] + spectra[1])
        self._noise = tuple(irfft3(randomised_spectrum(s, self.shape, self.start, rng), self.shape) for s in spectra)
        self._smooth: dict[float | None, Array] = {}
        self._fixed: dict[str, _Compared] = {}

    @property
    def box_px(self) -> int:
        """Side of the maps in px."""
        return self.shape[0]

    def mean_map(self, low_pass_A: float | None = None) -> Array:
        """Return the map that the halves make together, low-passed; the last few are kept."""
        if low_pass_A not in self._smooth:
            spectrum = self._mean
            if low_pass_A is not None and low_pass_A > 2 * self.pixel_size_A:
                xp = array_namespace(spectrum)
                spectrum = spectrum * xp.asarray(low_pass_gain(self.shape, self.pixel_size_A, low_pass_A))
            while len(self._smooth) > 2:
                self._smooth.pop(next(iter(self._smooth)))
            self._smooth[low_pass_A] = _single(irfft3(spectrum, self.shape))
        return self._smooth[low_pass_A]

    def mask(
        self, threshold_fraction: float, near_A: float, far_A: float, low_pass_A: float | None = _SMOOTH_A
    ) -> Array:
        """Make a mask of the mean map, as `masks.soft_mask_from_map` does.

        Raises
        ------
        ValueError
            If the threshold or the distances make no sense, or the map has no positive density.
        """
        smooth = self.mean_map(low_pass_A)
        top = positive_maximum(smooth, threshold_fraction)
        return soft_mask_from_inside(smooth > threshold_fraction * top, self.pixel_size_A, near_A, far_A)

    def masked(self, mask: Array) -> NDArray[np.float64]:
        """Return the FSC of the half maps inside a mask."""
        return self._correlation(self.halves, mask)

    def masked_noise(self, mask: Array) -> NDArray[np.float64]:
        """Return the FSC inside a mask of the half maps whose phases are random from shell `start` on."""
        return self._correlation(self._noise, mask)

    def curves(self, mask: Array | None = None, loose: bool = True) -> FSCCurves:
        """Return the five curves.

        Parameters
        ----------
        mask : (n, n, n) array, optional
            Takes the place of the tight mask (and so of the one that is corrected for).
        loose : bool
            Make the loose mask and its curve.

        Raises
        ------
        ValueError
            If the mask has another shape, is empty, or the map has no positive density to make one from.
        """
        if mask is not None:
            check_cubes(*self.halves, mask)
            if not float(array_namespace(mask).max(mask)) > 0:
                raise ValueError("the mask is 0 everywhere; lower its threshold or give another one")
        if mask is None:
            mask = self.mask(*TIGHT)
        masks = {"spherical": self._kept("spherical"), **({"loose": self._kept("loose")} if loose else {})}
        found = {"no_mask": self._no_mask, **masks, "tight": self._compared(mask)}
        curves = {name: each.curve for name, each in found.items()}
        errors = {name: correlation_error(each.curve, each.independent) for name, each in found.items()}
        tight = found["tight"]
        randomised = self.masked_noise(mask)
        curves["corrected"] = corrected_fsc(tight.curve, randomised, self.start)
        errors["corrected"] = corrected_error(tight.curve, randomised, tight.independent, self.start)
        from_A = self.box_px * self.pixel_size_A / self.start
        used = {name: each.mask for name, each in found.items() if name != "no_mask"}
        return FSCCurves(curves, randomised, from_A, used, self.box_px, self.pixel_size_A, errors)

    def _independent(self, mask: NDArray[np.float32] | None = None) -> NDArray[np.float64]:
        return independent_voxels(self.box_px, mask, self._mates)

    def _kept(self, name: str) -> _Compared:
        """Compare in a mask that stays the same."""
        if name not in self._fixed:
            mask = spherical_mask(self.box_px) if name == "spherical" else self.mask(*LOOSE)
            self._fixed[name] = self._compared(mask)
        return self._fixed[name]

    def _compared(self, mask: Array) -> _Compared:
        on_host = np.asarray(to_numpy(mask), np.float32)
        return _Compared(on_host, self.masked(mask), self._independent(on_host))

    def _correlation(self, maps: tuple[Array, ...], mask: Array) -> NDArray[np.float64]:
        window = array_namespace(maps[0]).asarray(_single(mask))
        a, b = (rfft3(each * window) for each in maps)
        return spectra_correlation(a, b, self.shape)


def _single(values: Array) -> Array:
    xp = array_namespace(values)
    return xp.astype(values, xp.float32, copy=False)


def check_cubes(*maps: Array) -> None:
    """Raise a ValueError unless all maps are cubes of one size.

    Raises
    ------
    ValueError
        If they are not.
    """
    shapes = [tuple(each.shape) for each in maps]
    if len(set(shapes)) != 1 or len(shapes[0]) != 3 or len(set(shapes[0])) != 1:
        found = ", ".join(str(s) for s in shapes)
        raise ValueError(f"half maps and mask must be cubes of one size, got {found}; resample them first")
