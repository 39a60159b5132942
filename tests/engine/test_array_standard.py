"""What the design promises on any array library runs on array-api-strict, which has nothing but the standard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import array_api_strict
import numpy as np
import pytest

from engine.ctf.model import ctf_on_disc, ctf_rfft2
from engine.extraction.normalise import normalise_background, remove_outliers
from engine.extraction.windows import cut_windows
from engine.fourier.crop import fourier_resize, fourier_resize_volume
from engine.fourier.disc import HalfDisc
from engine.fourier.filters import high_pass, low_pass, multiply_radial, shift_images
from engine.fourier.shells import fourier_ring_correlation, fourier_shell_correlation, radial_average
from engine.fourier.transforms import rfft2_centred
from engine.optics import Defocus, Optics
from engine.reconstruction.half_cube import complete_plane, from_half_cube, to_half_cube
from engine.validation.masks import soft_mask_from_inside, soft_mask_from_map
from engine.validation.noise import randomise_phases
from engine.windows import cosine_edge

RNG = np.random.default_rng(4)
IMAGES = RNG.standard_normal((3, 33, 32)).astype(np.float32)
SQUARES = RNG.standard_normal((3, 32, 32)).astype(np.float32)
VOLUME = RNG.standard_normal((16, 16, 16)).astype(np.float32)
OPTICS = Optics(300.0, 1.6, 0.1)
DEFOCUS = Defocus(np.array([1e4, 2e4, 1.5e4]), np.array([1e4, 1.9e4, 1.5e4]), np.array([0.0, 10.0, 20.0]))
ONE = Defocus(1e4, 0.9e4, 30.0)
DISC = HalfDisc(32, 12.0)

CASES: dict[str, Callable[[Any], Any]] = {
    "ctf on a disc": lambda xp: ctf_on_disc(DISC, 2.0, DEFOCUS, OPTICS, xp),
    "ctf of one image": lambda xp: ctf_on_disc(DISC, 2.0, ONE, OPTICS, xp),
    "ctf on half spectra": lambda xp: ctf_rfft2((33, 32), 2.0, DEFOCUS, OPTICS, xp),
    "coefficients of a disc": lambda xp: DISC.gather(rfft2_centred(xp.asarray(SQUARES))),
    "spectra of coefficients": lambda xp: DISC.scatter(DISC.gather(rfft2_centred(xp.asarray(SQUARES)))[:, :100]),
    "ramps": lambda xp: DISC.phase_ramps(xp.asarray(np.array([[1.0, -2.5], [0.25, 3]], np.float32))),
    "low-pass": lambda xp: low_pass(xp.asarray(IMAGES), 1.0, 4.0),
    "high-pass": lambda xp: high_pass(xp.asarray(VOLUME), 1.0, 10.0, ndim=3),
    "radial curve": lambda xp: multiply_radial(xp.asarray(VOLUME), np.linspace(1, 0, 6)),
    "shifts": lambda xp: shift_images(xp.asarray(IMAGES), xp.asarray(np.full((3, 2), 1.5, np.float32))),
    "resampled images": lambda xp: fourier_resize(xp.asarray(SQUARES), 21),
    "resampled volume": lambda xp: fourier_resize_volume(xp.asarray(VOLUME), 22),
    "FSC": lambda xp: fourier_shell_correlation(xp.asarray(VOLUME), xp.asarray(VOLUME + VOLUME[::-1])),
    "FRC": lambda xp: fourier_ring_correlation(xp.asarray(SQUARES), xp.asarray(SQUARES + SQUARES[::-1])),
    "radial average": lambda xp: radial_average(xp.asarray(np.abs(np.fft.rfft2(IMAGES))), (33, 32)),
    "outliers": lambda xp: remove_outliers(xp.asarray(IMAGES), 2.0),
    "background": lambda xp: normalise_background(xp.asarray(SQUARES), 10.0)[0],
    "windows": lambda xp: cut_windows(xp.asarray(IMAGES[0]), np.array([[3, 4], [10, 30]]), 8),
    "edge": lambda xp: cosine_edge(xp.asarray(IMAGES), 1.0),
    "hard edge": lambda xp: cosine_edge(xp.asarray(IMAGES), 0.0),
    "random phases": lambda xp: randomise_phases(xp.asarray(VOLUME), 3, np.random.default_rng(0)),
    "half cube": lambda xp: to_half_cube(xp.asarray(VOLUME), 32, 10),
    "and back": lambda xp: from_half_cube(complete_plane(to_half_cube(xp.asarray(VOLUME), 32, 14)), 16, 32),
    "mask": lambda xp: soft_mask_from_map(xp.asarray(VOLUME), 2.0, 0.5, 3.0, 6.0, 8.0),
    "mask of voxels": lambda xp: soft_mask_from_inside(xp.asarray(VOLUME > 1), 2.0, 3.0, 6.0),
}
ON_THE_HOST = {"FSC", "FRC", "radial average", "mask", "mask of voxels"}


@pytest.mark.parametrize("name", CASES)
def test_the_standard_suffices(name: str) -> None:
    plain, strict = (CASES[name](xp) for xp in (np, array_api_strict))
    assert isinstance(strict, np.ndarray) == (name in ON_THE_HOST)
    found = np.asarray(strict)
    assert found.dtype == plain.dtype
    assert found.shape == plain.shape
    assert np.abs(found - plain).max() < 1e-5 * np.abs(plain).max()
