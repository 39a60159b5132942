"""Normalised cross-correlation and power of a whole micrograph with a bank of templates, by FFT.

With f the flattened micrograph, w the weight of the window that is compared, t a template of zero weighted mean and
Σ w t² = 1, and v the disc of the particle's diameter:

    c(x) = Σ_u w(u) t(u) f(x+u) / sqrt(Σ w),   V(x) = Σ_u w(u) (f(x+u) - f̄_w(x))² / Σ w
    NCC(x) = c / (V (q + c²))^¼        in [-1, 1]
    power(x) = (Σ_u v(u) f(x+u)² / Σ v) / background

The local sums come from a few more transforms (Roseman, Ultramicroscopy 94, 225, 2003). c / √V is the usual NCC:
neighbours in the window, and all that a particle has but its template lacks, make it small. c / √(q + c²) is what it
would be with nothing in the window but the match and quiet ice, q being the QUIET_FRACTION quantile of V; ice crystals
reach it without looking like the template. Their geometric mean tells particles from both best.

The background of the power is the same quantile of the mean square in the disc, that is, ice without particles: power
is 1 there, a few on particles, and large on ice crystals, aggregates and carbon; it does not change with the scale of
the grey values.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.arrays import Array, array_namespace
from engine.fourier.partial import rfft2_padded
from engine.fourier.transforms import irfft2, rfft2

QUIET_FRACTION = 0.2
"""Quantile of the local mean squares that stands for empty ice, even where particles cover half of the picture."""

BATCH = 4
"""Templates in flight: few enough for the processor's cache. The result does not depend on it."""


@dataclass(frozen=True)
class ScoreMaps:
    """Scores of every coarse pixel, all (rows, columns).

    Parameters
    ----------
    ncc : float32, best normalised cross-correlation over the templates.
    template : int16, index of the best template in its bank.
    opposite : float32, best normalised cross-correlation with the templates in the opposite contrast: what noise
        alone reaches, see `engine.picking.scores`.
    """

    ncc: Array
    template: Array
    opposite: Array


PIXELS = 2048
"""Pixels whose correlations with all templates are mixed at a time. The result does not depend on it."""

FIRST_OF = 5
"""Of this many mixed templates one is tried everywhere."""

FINISHED = 0.08
"""Share of the pixels, for each contrast, where all mixed templates are tried: those where the first match best."""

_EVERY = 7  # of so many pixels one is enough to know the share


def score_maps(image: Array, weight: Array, kernels: Array, mix: Array | None = None) -> ScoreMaps:
    """Correlate a flattened micrograph with every kernel and keep the best at each pixel.

    Parameters
    ----------
    image : (rows, columns) float32 of `flatten_micrograph`.
    weight : (n, n) weight w of the bank.
    kernels : (m, n, n) of `TemplateBank.kernels`, in the same array library as `image`.
    mix : (t, m) where the kernels of t templates are ``mix @ kernels``, of `TemplateBank.few_kernels`.

    Raises
    ------
    ValueError
        If the micrograph is smaller than a template.
    """
    xp = array_namespace(image)
    side = kernels.shape[-1]
    if min(image.shape) < side:
        raise ValueError(
            f"The micrograph has {image.shape[0]} × {image.shape[1]} pixels at the picker's sampling, fewer than the "
            f"{side} of a template; check the pixel size and the particle diameter."
        )
    spectrum = rfft2(image)
    total = xp.float32(float(weight.sum()))
    mean = _local_mean(spectrum, weight / total, image.shape)
    square = _local_mean(rfft2(image * image), weight / total, image.shape)
    variance = xp.maximum(square - mean * mean, xp.float32(1e-6) * square.mean())
    # of unscaled correlations, which the local sums take the scale of
    variance, quiet = total * variance, total * _quantile(variance, QUIET_FRACTION)
    if mix is None:
        best, lowest, index = _best_of(spectrum, kernels, image.shape)
    else:
        best, lowest, index = _best_mixed(spectrum, kernels, mix, variance, quiet)
    return ScoreMaps(_score(best, variance, quiet), index, _score(-lowest, variance, quiet))


def _score(correlation: Array, variance: Array, quiet: Array) -> Array:
    """Geometric mean of the NCC and of what it would be with nothing in the window but the match and quiet ice."""
    xp = array_namespace(correlation)
    return correlation / xp.sqrt(xp.sqrt(variance * (quiet + correlation * correlation)))


def power_map(image: Array, disc: Array, border_px: int = 0) -> Array:
    """Local power relative to empty ice: (rows, columns) float32.

    Parameters
    ----------
    image : (rows, columns) float32 of `flatten_micrograph`.
    disc : (n, n) weight v of the particle's disc.
    border_px : border left out of the estimate of the background.
    """
    xp = array_namespace(image)
    square = _local_mean(rfft2(image * image), disc / xp.float32(float(disc.sum())), image.shape)
    square = xp.maximum(square, xp.float32(0.0))
    inner = square[border_px : square.shape[0] - border_px, border_px : square.shape[1] - border_px]
    background = _quantile(inner if inner.size else square, QUIET_FRACTION)
    return square / xp.maximum(background, xp.float32(1e-20))


def _best_of(spectrum: Array, kernels: Array, shape: tuple[int, int]) -> tuple[Array, Array, Array]:
    """Running maximum and minimum of the correlations, and the index of the maximum (the first of equal ones)."""
    xp = array_namespace(spectrum)
    best = xp.full(shape, -xp.inf, dtype=xp.float32)
    lowest = xp.full(shape, xp.inf, dtype=xp.float32)
    index = xp.zeros(shape, dtype=xp.int16)
    for start in range(0, kernels.shape[0], BATCH):
        maps = _correlations(spectrum, kernels[start : start + BATCH], shape)
        for i in range(maps.shape[0]):
            # in place: new arrays would cost more than the comparison
            xp.copyto(index, xp.int16(start + i), where=maps[i] > best)
            xp.maximum(best, maps[i], out=best)
            xp.minimum(lowest, maps[i], out=lowest)
    return tuple(_from_centre(x, kernels.shape[-1]) for x in (best, lowest, index))


def _best_mixed(
    spectrum: Array, kernels: Array, mix: Array, variance: Array, quiet: Array
) -> tuple[Array, Array, Array]:
    """`_best_of` for the templates that are mixed from some kernels, all of them only where the first score well."""
    xp, shape, side = array_namespace(spectrum), variance.shape, kernels.shape[-1]
    maps = xp.empty((kernels.shape[0], shape[0] * shape[1]), dtype=xp.float32)
    for i in range(0, kernels.shape[0], BATCH):
        part = _correlations(spectrum, kernels[i : i + BATCH], shape)
        maps[i : i + BATCH, :] = part.reshape(part.shape[0], -1)
    best, lowest, index = _extremes(maps, mix[::FIRST_OF, :])
    index = index * xp.int16(FIRST_OF)
    here = _from_centre(variance, side, back=True).reshape(-1)
    good, bad = _score(best, here, quiet), _score(-lowest, here, quiet)
    # what is not a number counts as well, so that some are left
    poor = (good < _quantile(good[::_EVERY], 1 - FINISHED)) & (bad < _quantile(bad[::_EVERY], 1 - FINISHED))
    place = xp.nonzero(~poor)[0]
    best[place], lowest[place], index[place] = _extremes(maps[:, place], mix)
    return tuple(_from_centre(x.reshape(shape), side) for x in (best, lowest, index))


def _extremes(maps: Array, mix: Array) -> tuple[Array, Array, Array]:
    """Maximum, minimum and index of the maximum over the templates, from the maps (k, pixels) they are mixed of."""
    xp = array_namespace(maps)
    found: list[tuple[Array, Array, Array]] = []
    for first in range(0, maps.shape[1], PIXELS):
        scores = maps[:, first : first + PIXELS].T @ mix.T
        index = xp.argmax(scores, axis=1)
        best = xp.take_along_axis(scores, index[:, None], axis=1)[:, 0]
        found.append((best, xp.min(scores, axis=1), xp.astype(index, xp.int16)))
    return tuple(xp.concat(parts) for parts in zip(*found, strict=True))


def _correlations(spectrum: Array, kernels: Array, shape: tuple[int, int]) -> Array:
    """Circular correlations whose origin is the kernels' last pixel: convolutions with the reversed kernels."""
    products = rfft2_padded(kernels[:, ::-1, ::-1], shape)
    products *= spectrum
    return irfft2(products, shape)


def _from_centre(correlation: Array, side: int, back: bool = False) -> Array:
    """Move the origin from the last pixel of kernels of a side to their centre ``side // 2``, or back."""
    xp = array_namespace(correlation)
    shift = side - side // 2 - 1 if back else side // 2 + 1 - side
    return xp.roll(correlation, (shift, shift), axis=(0, 1))


def _local_mean(spectrum: Array, weight: Array, shape: tuple[int, int]) -> Array:
    """Mean around every pixel under a weight that sums to 1."""
    return _from_centre(_correlations(spectrum, weight[None], shape)[0], weight.shape[-1])


def _quantile(values: Array, fraction: float) -> Array:
    """Quantile by sorting: the same on every array library."""
    xp = array_namespace(values)
    ordered = xp.sort(values.reshape(-1))
    return ordered[int(fraction * (ordered.shape[0] - 1))]
