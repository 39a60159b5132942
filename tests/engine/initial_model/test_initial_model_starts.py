"""Starts of an ab-initio run: whether their models are the same, and what is said of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from engine.initial_model.ab_initio import InitialModelOptions
from engine.initial_model.starts import agreement_A
from engine.initial_model.state import first_state, starts_that_agree

BOX_PX, PIXEL_A = 24, 9.0


def blobs(seed: int, turn: np.ndarray, hand: float = 1.0) -> np.ndarray:
    places = np.random.default_rng(seed).normal(scale=28.0, size=(25, 3)) @ turn.T * [1.0, 1.0, hand]
    axis = (np.arange(BOX_PX) - BOX_PX // 2) * PIXEL_A
    x, y, z = (np.exp(-((axis[None, :] - places[:, i, None]) ** 2) / (2 * 10.0**2)) for i in range(3))
    return np.einsum("pz,py,px->zyx", z, y, x, optimize=True).astype(np.float32)


def test_a_turned_mirrored_model_is_the_same_and_another_is_not() -> None:
    turn = Rotation.random(random_state=3).as_matrix()
    one = blobs(1, np.eye(3))
    assert agreement_A(one, blobs(1, turn, -1.0), PIXEL_A) < 25.0
    assert agreement_A(one, blobs(2, turn), PIXEL_A) > 40.0


def test_starts_are_counted_at_the_resolution_of_their_comparison() -> None:
    state = first_state(InitialModelOptions(160.0, starts=4), 1)
    assert starts_that_agree(state) is None
    compared = np.array([np.nan, 24.0, 33.0, 80.0])
    state = replace(state, start_agreement_A=compared, start_resolution_A=25.0, resolution_A=9.0)
    assert starts_that_agree(state) == (2, 3, 24.0)
