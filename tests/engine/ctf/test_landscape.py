from __future__ import annotations

import numpy as np
import pytest

from engine.ctf.landscape import defocus_landscape


def test_a_tilted_plane_has_its_tilt_and_its_heights() -> None:
    """A plate of 2000 × 1000 px of 1.5 Å tilted by 10° about y: x rises over 3000 Å by tan 10°."""
    rise = np.tan(np.radians(10.0)) * 2000 * 1.5 / 2
    landscape = defocus_landscape(np.array([0, rise, 0, 0, 0, 0]), (1000, 2000), 1.5, points=5)
    assert landscape.tilt_deg == pytest.approx(10.0)
    assert np.allclose(landscape.height_A, np.tile(np.linspace(-rise, rise, 5), (5, 1)))


def test_rows_are_y() -> None:
    height = defocus_landscape(np.array([0, 0, 7.0, 0, 0, 1.0]), (10, 10), 1.0, points=3).height_A
    assert height[:, 0].tolist() == [-6, 0, 8]
    with pytest.raises(ValueError, match="6 coefficients"):
        defocus_landscape(np.zeros(5), (10, 10), 1.0)
