"""Poses of images whose class, psi and shift are known, in RELION's convention."""

from __future__ import annotations

import numpy as np
import pytest
from blobs import OPTICS, PIXEL_A, channel, simulate

from engine.classification.expectation import Poses, expect
from engine.classification.library import Priors, make_library
from engine.classification.options import ClassificationOptions
from engine.classification.setup import DiscImages, make_sampling
from engine.fourier.filters import shift_images
from engine.geometry import euler_to_matrix
from engine.particles import Particles

VIEWS = euler_to_matrix([[0, 0, 0], [0, 90, 0], [10, 50, 0]])


@pytest.mark.parametrize("marginalise", [True, False])
def test_class_psi_and_origin_are_found(marginalise: bool) -> None:
    truth = simulate(60, 4, snr=0.15, views=VIEWS, shift_sd_A=3.0)
    options = ClassificationOptions(classes=3, max_resolution_A=8)
    sampling = make_sampling(truth.particles, options)
    references = np.stack([truth.phantom.project(view, 64, PIXEL_A) for view in VIEWS]).astype(np.float32)
    references /= truth.level
    noise = np.full(len(sampling.disc), 64.0**2, np.float32)
    library = make_library(references, references, 1 / noise, sampling, len(sampling.disc))
    x, ctf = DiscImages(truth.particles, sampling).block(np.arange(60))
    poses = expect(x, ctf, library, sampling, marginalise)
    assert np.mean(poses.classes[:, 0] == truth.view) > 0.95
    psi = sampling.rotation.angles_deg[poses.angle[:, 0]]
    right = poses.classes[:, 0] == truth.view
    # the top view (class 0) has an eightfold axis: psi counts modulo 45°
    period = np.where(truth.view == 0, 45.0, 360.0)
    psi_error = np.abs((psi - truth.psi_deg + period / 2) % period - period / 2)[right]
    shift_error_A = np.linalg.norm(poses.shift_px[:, 0] * sampling.pixel_size_A - truth.shifts_A, axis=1)[right]
    print(f"psi error {np.median(psi_error):.2f}°, origin error {np.median(shift_error_A):.2f} Å (medians)")
    assert np.median(psi_error) < 1.5
    assert np.median(shift_error_A) < 1.2
    assert np.allclose(poses.weight.sum(axis=1), 1, atol=1e-5)


def test_origin_is_the_shift_that_centres_the_image() -> None:
    image = channel().project(VIEWS[1], 64, PIXEL_A).astype(np.float32)
    moved = shift_images(image[None], np.array([[2.0, -1.5]], np.float32))
    particles = Particles.from_array(moved, PIXEL_A, simulate(1, 0).particles.defocus, OPTICS)
    sampling = make_sampling(particles, ClassificationOptions(max_resolution_A=8))
    x, _ = DiscImages(particles, sampling).block(np.array([0]))
    flat = np.ones(len(sampling.disc), np.float32)
    library = make_library(image[None], image[None], flat * 1e-3, sampling, len(flat))
    poses = expect(x, flat[None], library, sampling)
    assert poses.shift_px[0, 0] == pytest.approx([-2.0, 1.5], abs=0.05)
    assert sampling.rotation.angles_deg[poses.angle[0, 0]] == 0


def test_priors_decide_what_images_leave_open() -> None:
    """Two equal references: the posterior of a class is its share, and a gain over an empty image knows no prior."""
    image = channel().project(VIEWS[1], 64, PIXEL_A).astype(np.float32)
    moved = shift_images(image[None], np.array([[8.0, 0.0]], np.float32))
    particles = Particles.from_array(moved, PIXEL_A, simulate(1, 0).particles.defocus, OPTICS)
    sampling = make_sampling(particles, ClassificationOptions(max_resolution_A=8, shift_range_A=40.0))
    x, _ = DiscImages(particles, sampling).block(np.array([0]))
    flat = np.ones(len(sampling.disc), np.float32)
    both = np.stack([image, image])

    def found(priors: Priors | None) -> Poses:
        return expect(x, flat[None], make_library(both, both, flat * 1e-3, sampling, len(flat), priors), sampling)

    plain, known = found(None), found(Priors(weight=np.array([20.0, 180.0])))
    assert known.classes[0, 0] == 1
    assert np.isclose(plain.effective_classes[0], 2, atol=1e-3)
    assert np.isclose(known.effective_classes[0], np.exp(-0.1 * np.log(0.1) - 0.9 * np.log(0.9)), atol=1e-3)
    assert np.isclose(known.score[0], plain.score[0], rtol=1e-5)
    narrow = found(Priors(shift_sd_px=0.01))
    assert np.hypot(*narrow.shift_px[0, 0]) < np.hypot(*plain.shift_px[0, 0])
    assert narrow.score[0] < plain.score[0]
