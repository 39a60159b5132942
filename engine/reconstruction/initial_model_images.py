"""Images as the ab-initio search wants them: whitened, multiplied by their CTF, cut to the particle, few coefficients.

The likelihood needs an image x only as ``C x / σ²`` (and ``C² / σ²``). Multiplying by the CTF brings the information
that defocus has spread out back to the particle, so that afterwards the image may be cut to the particle's own size
without loss: fewer Fourier coefficients carry the same information.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.ctf.model import ctf_on_disc
from engine.fourier.disc import HalfDisc
from engine.fourier.grids import shell_index
from engine.fourier.shells import radial_average
from engine.fourier.transforms import irfft2_centred, rfft2_centred
from engine.particles import Particles
from engine.reconstruction.initial_model_grid import WorkingGrid
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

    data: NDArray[np.complex64]
    weight: NDArray[np.float32]

    def take(self, indices: NDArray[np.intp] | slice) -> PreparedImages:
        """Return some of the images."""
        return PreparedImages(self.data[indices], self.weight[indices])


class ImagePreparer:
    """Reads particles and gives `PreparedImages` on a small grid of its own.

    Parameters
    ----------
    particles : Particles
    mask_diameter_A : diameter of the particle.
    max_shift_A : largest error of centring that will be searched.
    final_resolution_A : finest detail that will be used.
    rng : draws the images that the noise is measured on (at most 2,000).

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
    ) -> None:
        self.particles = particles
        n, pixel = particles.box_px, particles.pixel_size_A
        field = min(n, 2 * int(np.ceil((mask_diameter_A / 2 + max_shift_A) / pixel + 2)))
        self.field_px = field - field % 2
        self.field_A = self.field_px * pixel
        radius = min(self.field_A / final_resolution_A, 0.5 * self.field_px - 2)
        grid = WorkingGrid.within(self.field_px, self.field_A, radius)
        self.box_px, self.pixel_size_A, self.disc = grid.box_px, grid.pixel_size_A, grid.disc
        window_px = min((mask_diameter_A / 2 + max_shift_A) / pixel, self.field_px / 2 - 2)
        self._window = soft_disc(self.field_px, window_px, 2.0)
        self._outside = 1.0 - soft_disc(n, min(0.5 * mask_diameter_A / pixel, 0.46 * n), 2.0)
        self._noise, self.usable = self._measure_noise(rng)
        self._kept: PreparedImages | None = None
        self._known = np.zeros(particles.count, dtype=bool)
        if particles.count * len(self.disc) * 12 <= _KEPT_BYTES:
            shape = (particles.count, len(self.disc))
            self._kept = PreparedImages(np.empty(shape, np.complex64), np.empty(shape, np.float32))

    def _background_power(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        """Power of each image outside the particle: (m, n // 2 + 1), per coefficient of the whole box."""
        masked = images * self._outside
        power = np.abs(rfft2_centred(masked)) ** 2
        return radial_average(power, images.shape[-2:]) / float(np.mean(self._outside**2))

    def _measure_noise(self, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        count = self.particles.count
        pool = np.sort(rng.permutation(count)[:_POOL])
        spectra = np.concatenate(
            [self._background_power(self.particles.images(pool[i : i + _CHUNK])) for i in range(0, len(pool), _CHUNK)]
        )
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
            return PreparedImages(np.concatenate([p.data for p in parts]), np.concatenate([p.weight for p in parts]))
        missing = indices[~self._known[indices]]
        for i in range(0, len(missing), _CHUNK):
            chosen = missing[i : i + _CHUNK]
            new = self._prepare(chosen)
            self._kept.data[chosen], self._kept.weight[chosen] = new.data, new.weight
        self._known[missing] = True
        return self._kept.take(indices)

    def _prepare(self, indices: NDArray[np.intp]) -> PreparedImages:
        n, m = self.particles.box_px, self.field_px
        images = self.particles.images(indices)
        noise = self._noise[np.minimum(shell_index((n, n)), n // 2)].astype(np.float32)
        spectra = rfft2_centred(images) * (self.particles.ctf_rfft2(indices) / noise)
        low = n // 2 - m // 2
        cut = irfft2_centred(spectra, (n, n))[:, low : low + m, low : low + m] * self._window
        density = (n / m) ** 2  # coefficients of the whole box for each one of the window
        field_disc = HalfDisc(m, self.disc.radius_px)
        data = field_disc.gather(rfft2_centred(cut.astype(np.float32))) * np.float32(density)
        defocus, optics = self.particles.defocus.take(indices), self.particles.optics.take(indices)
        transfer = ctf_on_disc(self.disc, self.pixel_size_A, defocus, optics)
        shells = np.interp(self.disc.radius * (n / m), np.arange(len(self._noise)), self._noise)
        weight = transfer**2 * (density / shells).astype(np.float32)
        return PreparedImages(data.astype(np.complex64), weight.astype(np.float32))
