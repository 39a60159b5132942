"""What stands for an image on the device: its content, not the data set that it came with."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from spa_widgets.io.datasets import IMAGE_SIGN, ParticleSet
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import write_star


def particle_set(folder: Path, numbers: list[int], name: str = "particles.star", sign: float = 1.0) -> ParticleSet:
    import pandas as pd

    optics = pd.DataFrame({
        "rlnOpticsGroup": [1], "rlnVoltage": [300.0], "rlnSphericalAberration": [1.6], "rlnAmplitudeContrast": [0.1],
        "rlnImagePixelSize": [2.0],
    })  # fmt: skip
    particles = pd.DataFrame({
        "rlnImageName": [f"{number:06d}@stack.mrcs" for number in numbers], "rlnOpticsGroup": 1,
        "rlnDefocusU": 10000.0, "rlnDefocusV": 10000.0, "rlnDefocusAngle": 0.0, IMAGE_SIGN: sign,
    })  # fmt: skip
    write_star(folder / name, {"optics": optics, "particles": particles})
    return ParticleSet.read(folder / name)


@pytest.fixture
def stack(tmp_path: Path, rng: np.random.Generator) -> np.ndarray:
    images = rng.standard_normal((6, 8, 8)).astype(np.float32)
    write_mrc(tmp_path / "stack.mrcs", images, 2.0)
    return images


def test_a_selection_has_the_numbers_of_its_images(tmp_path: Path, stack: np.ndarray) -> None:
    whole = particle_set(tmp_path, [1, 2, 3, 4, 5, 6]).to_engine()
    some = particle_set(tmp_path, [6, 2], "selected.star").to_engine()
    assert whole.numbers is not None and some.numbers is not None
    assert len(set(whole.numbers.tolist())) == 6
    assert some.numbers.tolist() == whole.numbers[[5, 1]].tolist()
    assert np.array_equal(some.images(), stack[[5, 1]])


def test_a_file_that_changed_and_an_inverted_image_are_others(tmp_path: Path, stack: np.ndarray) -> None:
    before = particle_set(tmp_path, [1, 2]).to_engine().numbers
    inverted = particle_set(tmp_path, [1, 2], sign=-1.0).to_engine()
    assert np.array_equal(inverted.images(), -stack[:2])
    write_mrc(tmp_path / "stack.mrcs", stack + 1, 2.0)
    os.utime(tmp_path / "stack.mrcs", ns=(1, 1))
    after = particle_set(tmp_path, [1, 2]).to_engine().numbers
    assert before is not None and after is not None and inverted.numbers is not None
    assert len({*before.tolist(), *after.tolist(), *inverted.numbers.tolist()}) == 6
