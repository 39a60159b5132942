from __future__ import annotations

import numpy as np
import pytest

from engine.classification.members import aligned, montage
from engine.geometry import euler_to_matrix


def blob(n: int, x: float, y: float, width: float = 2.0) -> np.ndarray:
    """A round spot at x, y from the centre."""
    rows, columns = np.mgrid[:n, :n] - n // 2
    return np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * width**2)).astype(np.float32)


@pytest.mark.parametrize("psi_deg", [0.0, 30.0, -110.0])
def test_a_particle_is_laid_on_its_reference(psi_deg: float) -> None:
    """A spot at (7, -3) of the reference lies where psi turns it, moved by what the shift takes back."""
    place, shift = np.array([7.0, -3.0]), np.array([-4.0, 2.5])
    there = euler_to_matrix([0.0, 0.0, psi_deg])[:2, :2] @ place - shift
    image = blob(48, *there)
    laid = aligned(image[None], np.array([psi_deg]), shift[None])[0]
    assert np.corrcoef(laid.ravel(), blob(48, *place).ravel())[0, 1] > 0.98


def test_a_montage_has_no_more_pixels_than_it_needs() -> None:
    images = np.stack([blob(128, 10 * k, 0, 6.0) for k in range(5)])
    picture = montage(images, 2.0, 3, low_pass_A=20.0, tile_px=64)
    assert picture.shape == (128, 192) and picture.dtype == np.uint8
    for place in range(5):
        row, column = divmod(place, 3)
        tile = picture[64 * row : 64 * row + 64, 64 * column : 64 * column + 64]
        assert abs(np.unravel_index(tile.argmax(), tile.shape)[1] - (32 + 5 * place)) <= 2
    assert montage(images[:2, :32, :32], 2.0, 2).shape == (32, 64)
