"""Each line of CONVENTIONS.md that belongs to no single module."""

from __future__ import annotations

import re
from pathlib import Path

import array_api_strict
import numpy as np
import pytest

from engine.ctf.model import ctf, ctf_rfft2
from engine.fourier.crop import fourier_crop, fourier_resize
from engine.fourier.disc import HalfDisc
from engine.fourier.filters import low_pass, shift_images
from engine.fourier.shells import resolution_at
from engine.fourier.transforms import irfft2_centred, rfft2_centred
from engine.geometry import euler_to_matrix, matrix_to_euler, random_rotations
from engine.optics import Defocus, Optics, electron_wavelength_A

REPOSITORY = Path(__file__).resolve().parents[2]
OPTICS = Optics(voltage_kv=300.0, cs_mm=1.6, amplitude_contrast=0.1)


def spot(n: int, x: int, y: int) -> np.ndarray:
    image = np.zeros((1, n, n), np.float32)
    image[0, y, x] = 1.0
    return image


def test_every_test_named_in_conventions_exists() -> None:
    text = (REPOSITORY / "CONVENTIONS.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|") and not re.match(r"\|(-|\s*convention)", line)]
    assert len(rows) >= 15
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named, f"no test is named in: {row}"
        for path, name in named:
            assert f"def {name}(" in (REPOSITORY / path).read_text(encoding="utf-8"), f"{path} has no {name}"


def test_positive_x_shift_moves_towards_larger_last_index() -> None:
    moved = shift_images(spot(16, x=5, y=6), np.array([[3.0, 2.0]], np.float32))[0]
    assert np.unravel_index(moved.argmax(), moved.shape) == (8, 8)
    assert moved.max() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("n", [16, 17])
def test_centred_transform_has_its_origin_at_n_over_2(n: int) -> None:
    spectrum = rfft2_centred(spot(n, n // 2, n // 2))
    assert np.allclose(spectrum, 1, atol=1e-6)
    assert spectrum.dtype == np.complex64
    assert np.allclose(irfft2_centred(spectrum, (n, n)), spot(n, n // 2, n // 2), atol=1e-6)


@pytest.mark.parametrize(("n", "m"), [(32, 20), (33, 20), (32, 21), (33, 21)])
def test_fourier_crop_keeps_grey_values_and_centre(n: int, m: int, rng: np.random.Generator) -> None:
    y, x = np.mgrid[:n, :n] - n // 2
    blob = np.exp(-(x**2 + y**2) / (2 * (n / 8) ** 2))[None].astype(np.float32)
    small = fourier_crop(blob, m)
    assert np.unravel_index(small[0].argmax(), (m, m)) == (m // 2, m // 2)
    assert small.max() == pytest.approx(1.0, abs=2e-3)
    assert small.mean() == pytest.approx(blob.mean(), rel=1e-5)
    smooth = low_pass(rng.standard_normal((2, n, n)).astype(np.float32), 1.0, 2.6 * n / m)
    assert np.allclose(fourier_resize(fourier_resize(smooth, m), n), smooth, atol=1e-5)


def test_fourier_crop_refuses_to_enlarge() -> None:
    with pytest.raises(ValueError, match="must not exceed"):
        fourier_crop(spot(16, 1, 1), 20)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_array_type_in_is_array_type_out(dtype: type, rng: np.random.Generator) -> None:
    images = rng.standard_normal((2, 24, 24)).astype(dtype)
    strict = array_api_strict.asarray(images)
    for function in (
        lambda x: low_pass(x, 1.0, 4.0),
        lambda x: fourier_resize(x, 16),
        lambda x: shift_images(x, np.ones((2, 2), np.float32)) if isinstance(x, np.ndarray) else x,
    ):
        expected = function(images)
        assert expected.dtype == dtype
        found = function(strict)
        assert type(found) is type(strict)
        assert found.dtype == strict.dtype
        if found is not strict:
            assert np.allclose(np.asarray(found), expected, atol=1e-5)


def test_electron_wavelength() -> None:
    assert electron_wavelength_A(300.0) == pytest.approx(0.0196875, abs=1e-7)
    assert electron_wavelength_A(200.0) == pytest.approx(0.0250793, abs=1e-7)


def test_ctf_of_underfocus_rises_from_the_amplitude_contrast() -> None:
    k = np.linspace(0, 0.02, 50)
    values = ctf(k, np.zeros_like(k), Defocus(15000.0, 15000.0, 0.0), OPTICS)
    assert values[0] == pytest.approx(0.1, abs=1e-6)
    assert np.all(np.diff(values[:40]) > 0)
    assert values.dtype == np.float32


def test_ctf_equals_the_formula_in_double_precision(rng: np.random.Generator) -> None:
    """Independent evaluation from the phase of each term, at 200 random points of random microscopes."""
    for _ in range(20):
        voltage, cs, w = rng.uniform(80, 300), rng.uniform(0.01, 3), rng.uniform(0, 0.3)
        u, v, angle, phase = rng.uniform(2e3, 6e4), rng.uniform(2e3, 6e4), rng.uniform(0, 180), rng.uniform(0, 180)
        kx, ky = rng.uniform(-0.25, 0.25, (2, 10))
        lam = 12.2642598 / np.sqrt(voltage * 1e3 * (1 + 0.978475598e-6 * voltage * 1e3))
        theta = np.arctan2(ky, kx) - np.deg2rad(angle)
        defocus = u * np.cos(theta) ** 2 + v * np.sin(theta) ** 2
        k2 = kx**2 + ky**2
        chi = np.pi * lam * defocus * k2 - np.pi / 2 * cs * 1e7 * lam**3 * k2**2 + np.deg2rad(phase)
        expected = np.sqrt(1 - w * w) * np.sin(chi) + w * np.cos(chi)
        found = ctf(kx, ky, Defocus(u, v, angle, phase), Optics(voltage, cs, w))
        assert np.abs(found - expected).max() < 2e-3  # the wavelength's textbook formula has 7 digits


def test_astigmatism_angle_points_along_defocus_u() -> None:
    """Along x the first zero is that of defocus u (angle 0); turned by 90° it is along y."""
    k = np.linspace(0.005, 0.06, 2000)
    nothing = np.zeros_like(k)
    u_only = ctf(k, nothing, Defocus(20000.0, 20000.0, 0.0), OPTICS)
    assert np.allclose(ctf(k, nothing, Defocus(20000.0, 10000.0, 0.0), OPTICS), u_only, atol=1e-5)
    assert np.allclose(ctf(nothing, k, Defocus(20000.0, 10000.0, 90.0), OPTICS), u_only, atol=1e-5)
    diagonal = k / np.sqrt(2)
    assert np.allclose(ctf(diagonal, diagonal, Defocus(20000.0, 10000.0, 45.0), OPTICS), u_only, atol=1e-5)
    image = ctf_rfft2(64, 2.0, Defocus(20000.0, 10000.0, 0.0), OPTICS)
    assert image[0, 5] == pytest.approx(float(ctf(np.array(5 / 128), np.array(0.0), Defocus(2e4, 2e4, 0.0), OPTICS)))


def test_euler_matrix_rows_are_the_image_axes(rng: np.random.Generator) -> None:
    assert np.allclose(euler_to_matrix([0, 0, 0]), np.eye(3))
    # tilt 90: the view axis lies in the x-y plane, along rot
    view = euler_to_matrix([30.0, 90.0, 0.0])[2]
    assert np.allclose(view, [np.cos(np.pi / 6), np.sin(np.pi / 6), 0])
    # psi turns the image axes only, clockwise seen with y downwards
    assert np.allclose(euler_to_matrix([0, 0, 90.0]), [[0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    rotations = random_rotations(200, rng)
    assert np.allclose(euler_to_matrix(matrix_to_euler(rotations)), rotations)
    for tilt in (0.0, 180.0):
        pole = euler_to_matrix([25.0, tilt, 40.0])
        assert np.allclose(euler_to_matrix(matrix_to_euler(pole)), pole)


def test_phase_ramp_of_the_origin_centres_the_image() -> None:
    n = 32
    disc = HalfDisc(n, 15.5, r_min_px=0.5)
    off_centre = spot(n, x=n // 2 + 3, y=n // 2 - 2)
    coefficients = disc.gather(rfft2_centred(off_centre)) * disc.phase_ramps(np.array([[-3.0, 2.0]], np.float32))
    centred = irfft2_centred(disc.scatter(coefficients), (n, n))[0]
    assert np.unravel_index(centred.argmax(), centred.shape) == (n // 2, n // 2)


def test_half_disc_is_sorted_so_that_a_prefix_is_a_lower_resolution(rng: np.random.Generator) -> None:
    large, small = HalfDisc(32, 12.0), HalfDisc(32, 7.0)
    count = large.count_within(7.0)
    assert count == len(small)
    assert np.array_equal(large.kx[:count], small.kx)
    assert np.array_equal(large.ky[:count], small.ky)
    image = low_pass(rng.standard_normal((3, 32, 32)).astype(np.float32), 1.0, 4.0)
    image -= image.mean(axis=(1, 2), keepdims=True)
    back = irfft2_centred(large.scatter(large.gather(rfft2_centred(image))), (32, 32))
    assert np.allclose(back, image, atol=1e-5)


def test_coordinate_of_a_planted_pixel_is_its_column_and_row(tmp_path: Path) -> None:
    from spa_widgets.io.mrc import read_mrc
    from spa_widgets.io.mrc_write import write_mrc

    micrograph = np.zeros((20, 30), np.float32)
    x, y = 22, 5
    micrograph[y, x] = 7.0
    write_mrc(tmp_path / "m.mrc", micrograph, 1.5)
    raw = np.fromfile(tmp_path / "m.mrc", np.float32, offset=1024)
    assert raw[y * 30 + x] == 7.0  # the first row of the file is y = 0
    back, pixel_size_A = read_mrc(tmp_path / "m.mrc")
    assert back[y, x] == 7.0
    assert pixel_size_A == pytest.approx(1.5)


def test_mirror_images_of_a_map_have_the_same_projections(rng: np.random.Generator) -> None:
    """Mirrored in z, a map seen along z gives the same image: no set of projections tells the hands apart."""
    atoms = rng.uniform(-6, 6, (30, 3))
    y, x = np.mgrid[:32, :32] - 16
    for rotation in random_rotations(5, rng):
        mirror = np.diag([1.0, 1.0, -1.0])
        images = []
        for points, pose in ((atoms, rotation), (atoms @ mirror, mirror @ rotation @ mirror)):
            # the mirrored map is seen from the mirrored pose: the same x and y of every atom
            seen = points @ (mirror @ pose if points is not atoms else pose).T
            images.append(sum(np.exp(-((x - p[0]) ** 2 + (y - p[1]) ** 2) / 4) for p in seen))
        assert np.allclose(images[0], images[1])


def test_resolution_is_the_first_crossing() -> None:
    curve = np.array([1.0, 0.9, 0.5, 0.1, 0.4, 0.0])
    assert resolution_at(curve, 10, 2.0, 0.3) == pytest.approx(20 / 2.5)
    assert resolution_at(np.ones(6), 10, 2.0) == pytest.approx(20 / 5)
    assert resolution_at(np.zeros(6), 10, 2.0) == np.inf
