"""Particle images of one micrograph: windows, outliers, contrast, Fourier crop, normalisation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace, to_numpy
from engine.extraction.normalise import background_mask, normalise_background, remove_outliers
from engine.extraction.windows import cut_windows
from engine.fourier.crop import fourier_crop
from engine.fourier.regrid import regrid_matrix

BATCH_PIXELS, LEAST_BATCH = 1 << 20, 8
"""Pixels in flight: windows that stay in a processor's cache between the steps take half the time of many at once."""


@dataclass(frozen=True)
class ExtractSettings:
    """How windows become images.

    Parameters
    ----------
    box_px : side of the window, even.
    crop_px : side after the Fourier crop, even; None for no crop.
    ratio : pixel size of the images over that of the micrograph, for images of a field of view that the window merely
        holds; None for that of the window, ``box_px / crop_px``.
    particle_radius_px : radius in pixels of the micrograph, beyond which pixels are background.
    invert : flip the contrast so that protein becomes white.
    normalise : bring the background to mean 0 and standard deviation 1.
    ramp : subtract a plane fitted to the background.
    outlier_sigma : limit of `remove_outliers`; None to keep every pixel.

    Raises
    ------
    ValueError
        If a size is odd or too small, the crop enlarges the box, or the particle does not fit in it.
    """

    box_px: int
    particle_radius_px: float
    crop_px: int | None = None
    invert: bool = True
    normalise: bool = True
    ramp: bool = True
    outlier_sigma: float | None = 10.0
    ratio: float | None = None

    def __post_init__(self) -> None:
        for name, size in (("box", self.box_px), ("Fourier-cropped box", self.output_px)):
            if size < 8 or size % 2:
                raise ValueError(f"The {name} has {size} px; choose an even number of at least 8.")
        if self.output_px > self.box_px:
            raise ValueError(
                f"A Fourier crop to {self.output_px} px cannot be larger than the box of {self.box_px} px."
            )
        if self.normalise:
            background_mask(self.box_px, self.particle_radius_px)

    @property
    def output_px(self) -> int:
        """Side of the images that come out."""
        return self.box_px if self.crop_px is None else self.crop_px

    @property
    def scale(self) -> float:
        """Pixel size of the micrograph over that of the images."""
        return self.output_px / self.box_px if self.ratio is None else 1.0 / self.ratio


def extract_particles(
    micrograph: Array, centres_px: NDArray[np.int64], settings: ExtractSettings
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Extract the particles of one micrograph in batches.

    Parameters
    ----------
    micrograph : (height, width), protein dark.
    centres_px : (m, 2) x, y of the pixels that become the centres n//2.
    settings : see `ExtractSettings`.

    Yields
    ------
    (indices, images) : which of the positions these are, and their images (b, n, n). A window without any variation
    (outside the picture of a detector, say) cannot be normalised and is left out.
    """
    xp = array_namespace(micrograph)
    batch = max(LEAST_BATCH, BATCH_PIXELS // settings.box_px**2)
    for start in range(0, len(centres_px), batch):
        indices = np.arange(start, min(start + batch, len(centres_px)))
        images = cut_windows(micrograph, centres_px[indices], settings.box_px).astype(xp.float32)
        if settings.outlier_sigma is not None:
            images = remove_outliers(images, settings.outlier_sigma)
        if settings.invert:
            images = -images
        if settings.output_px != settings.box_px:
            # a pedestal would cost digits in single precision
            mean = images.mean(axis=(-2, -1), keepdims=True)
            images = _resampled(images - mean, settings) + mean
        if settings.normalise:
            images, usable = normalise_background(images, settings.particle_radius_px * settings.scale, settings.ramp)
            indices, images = indices[usable], images[xp.asarray(usable)]
        yield indices, to_numpy(images)


def _resampled(images: Array, settings: ExtractSettings) -> Array:
    """Bring windows (b, box, box) of mean 0 to the images' box and pixel size; grey values are kept."""
    if settings.ratio is None:
        return fourier_crop(images, settings.output_px)
    xp = array_namespace(images)
    matrix = xp.asarray(regrid_matrix(settings.box_px, settings.output_px, settings.ratio))
    return xp.matmul(xp.matmul(matrix, images), matrix.T)
