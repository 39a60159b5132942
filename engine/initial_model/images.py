"""Images as the ab-initio search wants them: whitened, multiplied by their CTF, cut to the particle, few coefficients.

The likelihood needs an image x only as ``C x / σ²`` (and ``C² / σ²``). Multiplying by the CTF brings the information
that defocus has spread out back to the particle, so that afterwards the image may be cut to the particle's own size
without loss: fewer Fourier coefficients carry the same information.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace, to_numpy
from engine.ctf.model import ctf_on_disc
from engine.fourier.disc import HalfDisc
from engine.fourier.grids import shell_index
from engine.fourier.shells import radial_average
from engine.fourier.transforms import irfft2_centred, rfft2_centred
from engine.initial_model.grid import WorkingGrid
from engine.particles import Particles
from engine.windows import soft_disc

_POOL = 2000
_CHUNK = 128
_KEPT_BYTES = 400_000_000


@dataclass(frozen=True)
class PreparedImages:
    """A batch ready for scoring and insertion.

    Attributes
    ----------
    data : (m, K) complex64, ``C x / σ²``.
    weight : (m, K) float32, ``C² / σ²``.
    """

    data: Array
    weight: Array

    def take(self, indices: NDArray[np.intp] | slice) -> PreparedImages:
        """Return some of the images."""
        where = indices if isinstance(indices, slice) else array_namespace(self.data).asarray(indices)
        return PreparedImages(self.data[where], self.weight[where])


class ImagePreparer:
    """Reads particles and gives `PreparedImages` on a small grid of its own.

    Parameters
    ----------
    particles : Particles
    mask_diameter_A : diameter of the particle.
    max_shift_A : largest error of centring that will be searched.
    final_resolution_A : finest detail that will be used.
    rng : draws the images that the noise is measured on (at most 2,000).
    xp : array namespace (device) that images are prepared and kept on.

    Attributes
    ----------
    field_A : width of the window that is kept.
    box_px, pixel_size_A : the finest grid on which models are built.
    disc : coefficients within `final_resolution_A` on that grid.
    usable : (count,) bool, False for images whose spectrum is unlike the others' (edges, stripes, ice).
    """

    def __init__(
        self,
        particles: Particles,
        mask_diameter_A: float,
        max_shift_A: float,
        final_resolution_A: float,
        rng: np.random.Generator,
        xp: Any = np,
    ) -> None:
        self.particles, self.xp = particles, xp
        n, pixel = particles.box_px, particles.pixel_size_A
        field = min(n, 2 * int(np.ceil((mask_diameter_A / 2 + max_shift_A) / pixel + 2)))
        self.field_px = field - field % 2
        self.field_A = self.field_px * pixel
        radius = min(self.field_A / final_resolution_A, 0.5 * self.field_px - 2)
        grid = WorkingGrid.within(self.field_px, self.field_A, radius)
        self.box_px, self.pixel_size_A, self.disc = grid.box_px, grid.pixel_size_A, grid.disc
        window_px = min((mask_diameter_A / 2 + max_shift_A) / pixel, self.field_px / 2 - 2)
        self._window = xp.asarray(soft_disc(self.field_px, window_px, 2.0))
        self._outside = xp.asarray(1.0 - soft_disc(n, min(0.5 * mask_diameter_A / pixel, 0.46 * n), 2.0))
        self._noise, self.usable = self._measure_noise(rng)
        self._kept: PreparedImages | None = None
        self._known = np.zeros(particles.count, dtype=bool)
        if particles.count * len(self.disc) * 12 <= _KEPT_BYTES:
            shape = (particles.count, len(self.disc))
            self._kept = PreparedImages(xp.empty(shape, dtype=xp.complex64), xp.empty(shape, dtype=xp.float32))

    def radius_px(self, resolution_A: float) -> float:
        """Working radius: cycles in the window that is kept."""
        return min(self.field_A / resolution_A, self.disc.radius_px)

    def _background_power(self, indices: NDArray[np.intp]) -> NDArray[np.float64]:
        """Power of each image outside the particle: (m, n // 2 + 1), per coefficient of the whole box."""
        images, xp = self.particles.images_on(indices, self.xp), self.xp
        power = xp.abs(rfft2_centred(images * self._outside)) ** 2
        return to_numpy(radial_average(power, images.shape[-2:])) / float(xp.mean(self._outside**2))

    def _measure_noise(self, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        count = self.particles.count
        pool = np.sort(rng.permutation(count)[:_POOL])
        spectra = np.concatenate([self._background_power(pool[i : i + _CHUNK]) for i in range(0, len(pool), _CHUNK)])
        typical = np.median(spectra, axis=0)
        usable = np.ones(count, dtype=bool)
        low = slice(1, max(3, int(self.disc.radius_px * self.particles.box_px / self.field_px)))
        excess = np.log(np.maximum(spectra[:, low], 1e-30) / np.maximum(typical[low], 1e-30))
        level = np.abs(excess).mean(axis=1)
        spread = np.median(level) + 6.0 * 1.4826 * np.median(np.abs(level - np.median(level)))
        usable[pool] = level <= spread
        noise = spectra[level <= spread].mean(axis=0)
        noise[0] = noise[1]
        return np.maximum(noise, 1e-6 * noise.max()), usable

    def prepare(self, indices: NDArray[np.intp]) -> PreparedImages:
        """Load and prepare particles; they are kept in memory where all of them fit."""
        if self._kept is None:
            parts = [self._prepare(indices[i : i + _CHUNK]) for i in range(0, len(indices), _CHUNK)]
            return PreparedImages(*(self.xp.concat([getattr(p, a) for p in parts]) for a in ("data", "weight")))
        missing = indices[~self._known[indices]]
        for i in range(0, len(missing), _CHUNK):
            chosen = missing[i : i + _CHUNK]
            new, where = self._prepare(chosen), self.xp.asarray(chosen)
            self._kept.data[where], self._kept.weight[where] = new.data, new.weight
        self._known[missing] = True
        return self._kept.take(indices)

    def _prepare(self, indices: NDArray[np.intp]) -> PreparedImages:
        n, m, xp = self.particles.box_px, self.field_px, self.xp
        images = self.particles.images_on(indices, xp)
        noise = xp.asarray(self._noise[np.minimum(shell_index((n, n)), n // 2)].astype(np.float32))
        spectra = rfft2_centred(images) * (self.particles.ctf_rfft2(indices, xp) / noise)
        low = n // 2 - m // 2
        cut = irfft2_centred(spectra, (n, n))[:, low : low + m, low : low + m] * self._window
        density = (n / m) ** 2  # coefficients of the whole box for each one of the window
        field_disc = HalfDisc(m, self.disc.radius_px)
        data = field_disc.gather(rfft2_centred(xp.astype(cut, xp.float32))) * np.float32(density)
        transfer = ctf_on_disc(
            self.disc, self.pixel_size_A, self.particles.defocus.take(indices), self.particles.optics.take(indices), xp
        )
        shells = np.interp(self.disc.radius * (n / m), np.arange(len(self._noise)), self._noise)
        weight = transfer**2 * xp.asarray((density / shells).astype(np.float32))
        return PreparedImages(xp.astype(data, xp.complex64), xp.astype(weight, xp.float32))
