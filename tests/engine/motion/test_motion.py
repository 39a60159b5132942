"""Motion found in simulated movies, against the motion they were made with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from engine.fourier.shells import fourier_ring_correlation
from engine.motion.align import align_frames
from engine.motion.correct import MotionSettings, correct_movie
from engine.motion.dose import critical_exposure_e_per_A2, dose_weights
from engine.motion.figures import motion_figures
from engine.motion.frames import bad_pixels, mended, neighbours_of, oriented_gain
from engine.motion.local import LocalMotion, fit_local_motion, space_terms, time_terms
from engine.motion.picture import track_picture
from engine.motion.smooth import smooth_track
from engine.simulation.micrographs import simulate_scene
from engine.simulation.movies import MovieSettings, simulate_movie
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.settings import SMALL

SETTINGS = replace(SMALL, shape=(640, 704), objects_per_micrograph=24, dose_e_per_A2=60.0)


def ring_mean(image: NDArray, truth: NDArray, resolution_A: float) -> float:
    n = min(image.shape)
    curve = fourier_ring_correlation(
        np.ascontiguousarray(image[:n, :n], np.float32), np.ascontiguousarray(truth[:n, :n])
    )
    shell = n * SETTINGS.pixel_size_A / resolution_A
    return float(curve[int(shell * 0.85) : int(shell * 1.15)].mean())


def test_drift_is_found_and_detail_comes_back() -> None:
    atoms = channel_in_nanodisc()
    scene = simulate_scene(atoms, SETTINGS, 12000.0, np.random.default_rng(8))
    movie = simulate_movie(atoms, SETTINGS, MovieSettings(frames=16), 12000.0, np.random.default_rng(8))
    frames = list(movie.frames)
    truth_A = movie.truth.shifts_A
    assert truth_A[0].tolist() == [0, 0] and np.hypot(*truth_A[-1]) > 5
    shown: list[float] = []
    settings = MotionSettings(SETTINGS.pixel_size_A, 300.0, 60.0, patches=1)
    found = correct_movie(lambda: iter(frames), settings, report=shown.append)
    error_A = found.shifts_A - truth_A
    error_A -= error_A.mean(axis=0)
    assert np.sqrt((error_A**2).sum(axis=1).mean()) < 1.2  # half a pixel
    plain, best = sum(frames), ring_mean(found.image, scene.contrast, 12.0)
    assert ring_mean(plain, scene.contrast, 12.0) < 0.05 < 0.08 < best
    assert found.image.shape == SETTINGS.shape and abs(found.image.mean() / plain.mean() - 1) < 1e-3
    assert shown == sorted(shown) and shown[-1] == 1
    unweighted = correct_movie(lambda: iter(frames), replace(settings, dose_e_per_A2=0.0))
    assert best > ring_mean(unweighted.image, scene.contrast, 12.0)
    again = correct_movie(lambda: iter(frames), settings)
    assert np.array_equal(again.image, found.image)


def strong_movie(
    bend_px: float, frames: int = 8, side: int = 448
) -> tuple[list[NDArray[np.float32]], NDArray[np.float64], LocalMotion, NDArray[np.float64]]:
    """A movie of much contrast that bends: frames, motion of the whole (px), local motion (px), the scene."""
    rng = np.random.default_rng(2)
    scene = gaussian_filter(rng.normal(size=(side, side)), 1.5, mode="wrap")
    scene /= scene.std()
    t = np.arange(frames)
    shifts = np.stack([3 * (1 - np.exp(-t / 2)), -0.4 * t], axis=1)
    coefficients = np.zeros((18, 2))
    coefficients[1, 0] = coefficients[3, 1] = bend_px * 2 / (frames - 1)  # grows with x along x, with y along y
    local = LocalMotion(coefficients, True, 0.0)
    axis = np.arange(side)
    made = []
    for frame in range(frames):
        unit = (axis + 0.5) / side - 0.5
        moved = local.at(unit[None, :], unit[:, None], frame) + shifts[frame]
        places = [axis[:, None] - moved[..., 1], axis[None, :] - moved[..., 0]]
        mean = 4 * (1 + 0.25 * map_coordinates(scene, places, order=3, mode="grid-wrap"))
        made.append(rng.poisson(np.clip(mean, 0.1, None)).astype(np.float32))
    return made, shifts, local, scene


def test_local_motion_is_found_and_taken_back() -> None:
    frames, shifts, truth, scene = strong_movie(bend_px=2.5)
    found = correct_movie(lambda: iter(frames), MotionSettings(2.0, patches=4))
    assert found.local.kept
    unit = np.linspace(-0.4, 0.4, 5)
    x, y = np.meshgrid(unit, unit)
    got = np.stack([found.local.at(x, y, i) + found.shifts_A[i] for i in range(8)]) / 2.0
    expected = np.stack([truth.at(x, y, i) + shifts[i] for i in range(8)])
    difference = got - expected
    difference -= difference.mean(axis=0)
    assert np.sqrt((difference**2).sum(axis=-1).mean()) < 0.15
    whole_only = correct_movie(lambda: iter(frames), MotionSettings(2.0, patches=1))
    inner = slice(20, -20)
    gained = [
        np.corrcoef(r.image[inner, inner].ravel(), scene[inner, inner].ravel())[0, 1] for r in (found, whole_only)
    ]
    assert gained[0] > gained[1] + 0.05
    binned = correct_movie(lambda: iter(frames), MotionSettings(2.0, patches=4, binning=2.0))
    assert binned.image.shape == (224, 224) and binned.pixel_size_A == 4.0
    assert binned.image.mean() == pytest.approx(found.image.mean(), rel=1e-3)


def test_no_local_motion_is_made_up() -> None:
    frames = strong_movie(bend_px=0.0)[0]
    found = correct_movie(lambda: iter(frames), MotionSettings(2.0, patches=4))
    corners = found.local.at(np.array([-0.5, 0.5]), np.array([-0.5, 0.5]), 7)
    assert np.abs(corners).max() < 0.4  # Å, a fifth of a pixel


def test_a_model_without_support_is_dropped() -> None:
    rng = np.random.default_rng(1)
    places = rng.uniform(-0.5, 0.5, (16, 2))
    noise = rng.normal(size=(16, 10, 2)).cumsum(axis=1)
    assert not fit_local_motion(places, noise, np.ones((16, 10))).kept
    coefficients = rng.normal(size=(18, 2)) * np.repeat([1, 0.1, 0.01], 6)[:, None]
    terms = np.einsum("ft,ps->pfts", time_terms(np.arange(10)), space_terms(*places.T)).reshape(16, 10, 18)
    tracks = terms @ coefficients
    tracks[3] = noise[3] * 20  # one patch without particles
    found = fit_local_motion(places, tracks, np.ones((16, 10)))
    assert found.kept and np.allclose(found.coefficients, coefficients, atol=0.02 * np.abs(coefficients).max())


def test_shifts_of_noise_free_frames_are_exact() -> None:
    rng = np.random.default_rng(5)
    scene = gaussian_filter(rng.normal(size=(96, 120)), 1.5, mode="wrap")
    wanted = np.array([[0, 0], [1.3, -2.6], [4.2, 0.4], [5.5, 3.7]])
    ky, kx = np.fft.fftfreq(96)[:, None], np.fft.rfftfreq(120)[None, :]
    spectra = np.stack([np.fft.rfft2(scene) * np.exp(-2j * np.pi * (kx * x + ky * y)) for x, y in wanted])
    noise = np.fft.rfft2(rng.normal(0, 0.002, (4, 96, 120)))
    found = align_frames((spectra + noise).astype(np.complex64), (96, 120), 50.0, 10.0, smooth=False)
    assert np.abs(found.shifts_px - wanted).max() < 0.01
    with pytest.raises(ValueError, match="got 1 frame"):
        align_frames(spectra[:1], (96, 120), 50.0, 10.0)


def test_smoothing_helps_noise_and_leaves_a_clear_track() -> None:
    rng = np.random.default_rng(3)
    time = np.linspace(0, 1, 40)
    track = np.stack([5 * np.exp(-time / 0.2), time**2], axis=1)
    noisy = track + rng.normal(0, 0.5, track.shape)
    smooth = smooth_track(noisy, np.ones(40))
    assert np.sqrt(((smooth - track) ** 2).mean()) < 0.5 * np.sqrt(((noisy - track) ** 2).mean())
    assert np.abs(smooth_track(track, np.ones(40)) - track).max() < 0.05
    assert np.array_equal(smooth_track(noisy[:4], np.ones(4)), noisy[:4])


def test_dose_weights_follow_the_paper_and_keep_white_noise_white() -> None:
    # figure 5 of the paper: about 20 e/Å² at 20 Å, 3 to 4 at 3 Å
    assert critical_exposure_e_per_A2(1 / 3.0) == pytest.approx(4.34, abs=0.01)
    assert critical_exposure_e_per_A2(1 / 20.0) == pytest.approx(38.7, abs=0.1)
    assert critical_exposure_e_per_A2(0.1, 200.0) == pytest.approx(0.8 * critical_exposure_e_per_A2(0.1))
    assert np.isinf(critical_exposure_e_per_A2(0.0))
    exposures = np.arange(20) * 2.0 + 1
    curves, ring = dose_weights((64, 80), 1.5, exposures)
    assert ring.shape == (64, 41) and np.allclose((curves**2).mean(axis=0), 1, atol=1e-5)
    assert np.allclose(curves[:, 0], 1) and (np.diff(curves[:, ring[20, 20]]) < 0).all()


def test_gain_is_turned_flipped_and_checked() -> None:
    gain = np.arange(1, 7, dtype=np.float32).reshape(2, 3)
    assert np.array_equal(oriented_gain(gain, (2, 3)), gain)
    assert np.array_equal(oriented_gain(gain, (2, 3), flip="up_down"), gain[::-1])
    assert np.array_equal(oriented_gain(gain, (3, 2), 1), np.rot90(gain, -1))
    assert np.allclose(oriented_gain(gain, (2, 3), divide=True), 1 / gain)
    assert np.array_equal(oriented_gain(gain, (4, 6)), np.kron(gain, np.ones((2, 2))))
    dead = gain.copy()
    dead[0, 0] = 0
    assert oriented_gain(dead, (2, 3), divide=True)[0, 0] == 0
    with pytest.raises(ValueError, match=r"has 3 × 2 px, the frames 2 × 3; expected the same: turn it by 90°"):
        oriented_gain(gain, (3, 2))
    with pytest.raises(ValueError, match="give the one recorded with the movies"):
        oriented_gain(gain, (5, 5))
    with pytest.raises(ValueError, match="expected none below 0"):
        oriented_gain(-gain, (2, 3))
    with pytest.raises(ValueError, match="'sideways' of the gain reference is not known"):
        oriented_gain(gain, (2, 3), flip="sideways")


def test_bad_pixels_are_replaced_by_neighbours() -> None:
    rng = np.random.default_rng(0)
    total = rng.poisson(50, (60, 70)).astype(np.float32)
    total[5, 6], total[20, 30] = 5000, 0
    bad = bad_pixels(total, None)
    assert np.argwhere(bad).tolist() == [[5, 6], [20, 30]]
    fixed = mended(total, None, *neighbours_of(bad))
    assert 20 < fixed[5, 6] < 90 and 20 < fixed[20, 30] < 90 and (fixed != total).sum() == 2
    gain = np.ones_like(total)
    gain[:, 3] = 0
    assert bad_pixels(total * gain, gain).sum() == 62
    with pytest.raises(ValueError, match="every pixel of the summed frames is 7"):
        bad_pixels(np.full((8, 8), 7, np.float32), None)
    gain[:, :10] = 0
    with pytest.raises(ValueError, match="14 % of the pixels are dead or hot"):
        bad_pixels(total * gain, gain)


def test_figures_and_picture_of_a_track() -> None:
    shifts = np.array([[0.0, 0], [3, 4], [3, 5], [3, 6]])
    assert motion_figures(shifts, 4 * 4.0) == {"total_A": 7.0, "early_A": 5.0, "late_A": 2.0}
    picture = track_picture(shifts, 160)
    assert picture.shape == (160, 160) and picture.dtype == np.uint8
    assert picture[16, 128] < 60 or (picture < 60).any()
    assert (picture[:80, :80] < 200).any() and (picture[80:, 80:] < 200).any() and picture[5, 155] == 255
    assert track_picture(np.zeros((3, 2))).min() < 60


def test_frames_are_read_one_at_a_time() -> None:
    rng = np.random.default_rng(0)
    alive = {"now": 0, "most": 0}

    class Frame(np.ndarray):
        def __del__(self) -> None:
            alive["now"] -= self.base is None

    def frames() -> Iterator[NDArray[np.float32]]:
        for _ in range(6):
            alive["now"] += 1
            alive["most"] = max(alive["most"], alive["now"])
            frame = np.ndarray.__new__(Frame, (64, 64), np.float32)
            frame[...] = rng.poisson(5, (64, 64))
            yield frame
            del frame

    correct_movie(frames, MotionSettings(2.0, patches=1))
    assert alive["most"] <= 3
