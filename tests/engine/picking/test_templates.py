"""Template banks: sampling, angles, CTF, normalisation."""

from __future__ import annotations

import numpy as np
import pytest
from drawings import drawing
from scipy import ndimage

from engine.ctf.model import ctf_rfft2
from engine.optics import Defocus, Optics
from engine.picking.blob import blob_bank, blob_diameters_A
from engine.picking.templates import COMPARED_DIAMETERS, template_bank

COARSE_A = (5.8, 5.9)


@pytest.mark.parametrize("box, pixel_size_A", [(90, 2.464), (180, 1.232), (64, 3.465), (65, 3.465), (36, 6.5)])
def test_bank_is_the_same_whatever_the_sampling_of_the_averages(box: int, pixel_size_A: float) -> None:
    reference = template_bank(drawing(200, 1.2)[None], 1.2, COARSE_A, 160.0, 20.0, 45.0)
    bank = template_bank(drawing(box, pixel_size_A)[None], pixel_size_A, COARSE_A, 160.0, 20.0, 45.0)
    error = np.abs(bank.images - reference.images).max() / np.abs(reference.images).max()
    print(f"box {box} of {pixel_size_A} Å: error {error:.4f}")
    assert error < 0.02


def test_angle_is_that_of_a_pose() -> None:
    bank = template_bank(drawing(90, 2.464)[None], 2.464, (6.0, 6.0), 160.0, 20.0, 90.0)
    assert bank.psi_deg.tolist() == [0, 90, 180, 270]
    # psi = 90 takes the value at (x, y) from (-y, x): the blob at x = 40 Å goes to y = -40 Å
    side = bank.images.shape[-1]
    y, x = np.unravel_index(bank.images[1].argmax(), (side, side))
    original = np.unravel_index(bank.images[0].argmax(), (side, side))
    moved = (original[1] - side // 2, original[0] - side // 2)
    assert (x - side // 2, y - side // 2) == pytest.approx((moved[1], -moved[0]), abs=1)


def test_step_follows_diameter_and_low_pass() -> None:
    counts = [
        len(template_bank(drawing(90, 2.464)[None], 2.464, (6.0, 6.0), diameter_A, low_pass_A).images)
        for diameter_A, low_pass_A in ((160.0, 20.0), (160.0, 40.0), (80.0, 40.0))
    ]
    # the rim, half a diameter from the centre, moves by about the low-pass from one angle to the next; at most 20°
    assert counts == [25, 18, 18]
    assert np.pi * 160.0 / counts[0] == pytest.approx(20.0, rel=0.02)


def test_kernels_have_zero_mean_and_unit_square_under_the_weight() -> None:
    bank = template_bank(drawing(90, 2.464)[None], 2.464, COARSE_A, 160.0)
    kernels = bank.kernels(Defocus(15000.0, 14500.0, 30.0), Optics(300.0, 1.6, 0.1))
    inside = bank.weight > 1e-3
    assert np.abs(kernels.sum(axis=(1, 2))).max() < 1e-4
    templates = np.where(inside, kernels / np.maximum(bank.weight, 1e-3), 0.0)
    assert (bank.weight * templates**2).sum(axis=(1, 2)) == pytest.approx(np.ones(len(kernels)), abs=1e-3)
    radius = 0.5 * COMPARED_DIAMETERS * 160.0 / np.mean(COARSE_A)
    assert bank.weight.sum() == pytest.approx(np.pi * radius**2, rel=0.01)


def test_ctf_of_a_kernel_is_that_of_the_model() -> None:
    optics, defocus = Optics(300.0, 1.6, 0.1), Defocus(18000.0, 17000.0, 20.0)
    smooth = ndimage.gaussian_filter(drawing(400, 1.0), 6.0)
    seen = np.fft.irfft2(np.fft.rfft2(smooth) * ctf_rfft2(400, 1.0, defocus, optics), s=smooth.shape)
    with_ctf = template_bank(smooth[None], 1.0, (4.0, 4.0), 160.0, 15.0, 360.0).kernels(defocus, optics)[0]
    side = with_ctf.shape[-1]
    first = 200 - 4 * (side // 2)
    sampled = seen[first : first + 4 * side : 4, first : first + 4 * side : 4]
    inside = np.abs(with_ctf) > 0
    correlation = np.corrcoef(sampled[inside], with_ctf[inside])[0, 1]
    print(f"correlation with the image through the model's CTF {correlation:.4f}")
    assert correlation > 0.97


def test_averages_that_cannot_be_used_are_refused() -> None:
    with pytest.raises(ValueError, match="smaller than the particle diameter"):
        template_bank(drawing(50, 2.464)[None], 2.464, COARSE_A, 160.0)
    with pytest.raises(ValueError, match="square"):
        template_bank(np.ones((2, 90, 80), np.float32), 2.464, COARSE_A, 160.0)
    with pytest.raises(ValueError, match="Template 2 is blank"):
        template_bank(np.stack([drawing(90, 2.464), np.zeros((90, 90))]), 2.464, COARSE_A, 160.0)


def test_blob_sizes_lie_between_the_bounds() -> None:
    sizes = blob_diameters_A(100.0, 200.0)
    assert sizes[0] == pytest.approx(100) and sizes[-1] == pytest.approx(200)
    assert (sizes[1:] / sizes[:-1] <= 1.1201).all()
    assert len(blob_diameters_A(150.0, 150.0)) == 1
    with pytest.raises(ValueError, match="smallest blob"):
        blob_diameters_A(200.0, 100.0)
    bank = blob_bank(np.array([150.0]), 160.0, COARSE_A, rings=True)
    assert bank.class_number.tolist() == [1, 2, 2, 2, 3]
    half = np.argwhere(bank.images[0] > 0.5 * bank.images[0].max())
    # half of a parabola's height lies at the diameter over the root of two
    assert 2 * np.sqrt(len(half) * np.prod(COARSE_A) / np.pi) == pytest.approx(150 / np.sqrt(2), rel=0.05)
    centre = bank.images.shape[-1] // 2
    assert bank.images[-1][centre, centre] < 0.3 * bank.images[-1].max()
