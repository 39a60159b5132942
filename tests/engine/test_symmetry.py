"""Point groups: laws, and agreement with RELION where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess

import numpy as np
import pytest

from engine.geometry import fibonacci_directions
from engine.symmetry import in_asymmetric_unit, parse_symmetry, point_group

ORDERS = {"C1": 1, "C8": 8, "D2": 4, "D7": 14, "T": 12, "O": 24, "I": 60, "I1": 60, "I2": 60, "I3": 60, "I4": 60}

# (fold, axis) present in each setting, from Heymann et al. 2005 and RELION's documentation
AXES = {
    "C8": [(8, (0, 0, 1))],
    "D2": [(2, (0, 0, 1)), (2, (1, 0, 0))],
    "D7": [(7, (0, 0, 1)), (2, (1, 0, 0))],
    "T": [(3, (0, 0, 1)), (2, (0, 0.816496580927726, 0.5773502691896257))],
    "O": [(4, (0, 0, 1)), (3, (1, 1, 1))],
    "I": [(2, (0, 0, 1)), (5, (0.5257311121191336, 0, 0.8506508083520400))],
    "I1": [(2, (1, 0, 0)), (2, (0, 1, 0)), (2, (0, 0, 1)), (5, (0.8506508083520400, 0, -0.5257311121191336))],
    "I2": [(2, (0, 0, 1)), (5, (0.5257311121191336, 0, 0.8506508083520400))],
    "I3": [(5, (0, 0, 1)), (2, (-0.5257311121191336, 0, 0.8506508083520400))],
    "I4": [(2, (0.5257311121191336, 0, 0.8506508083520400)), (5, (0.8944271909999159, 0, 0.4472135954999579))],
}


def contains(group: np.ndarray, rotation: np.ndarray, tolerance: float = 1e-6) -> bool:
    return bool(np.abs(group - rotation).max(axis=(1, 2)).min() < tolerance)


@pytest.mark.parametrize("name", ORDERS)
def test_a_point_group_is_a_group_of_rotations(name: str) -> None:
    group = point_group(name)
    assert len(group) == ORDERS[name]
    assert np.allclose(group[0], np.eye(3))
    assert np.allclose(group @ group.transpose(0, 2, 1), np.eye(3))
    assert np.allclose(np.linalg.det(group), 1)
    assert all(contains(group, a @ b) for a in group[:7] for b in group)


@pytest.mark.parametrize("name", AXES)
def test_point_groups_are_those_of_relion(name: str) -> None:
    from engine.geometry import axis_rotation

    for fold, axis in AXES[name]:
        assert contains(point_group(name), axis_rotation(axis, 360 / fold)), (fold, axis)
    if shutil.which("relion_refine"):
        printed = relion_operators(name)
        assert len(printed) == len(point_group(name))
        assert all(contains(point_group(name), rotation, tolerance=3e-5) for rotation in printed)


def relion_operators(name: str) -> list[np.ndarray]:
    """Parse the rotation matrices that RELION prints for a point group (5 digits)."""
    command = ["relion_refine", "--sym", name, "--print_symmetry_ops", "--i", "x", "--o", "x"]
    text = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=False).stdout
    blocks = re.findall(r"R\(\d+\)=\s*((?:[-+.\deE]+\s+){9})", text)
    matrices = [np.array([float(value) for value in block.split()]).reshape(3, 3) for block in blocks]
    return matrices


@pytest.mark.parametrize("name", ["C8", "D2", "T", "O", "I2"])
def test_asymmetric_unit_covers_the_sphere_once(name: str) -> None:
    directions = fibonacci_directions(6000)
    inside = in_asymmetric_unit(directions, name)
    assert inside.mean() * len(point_group(name)) == pytest.approx(1, abs=0.03)
    mates = directions[:300] @ point_group(name)
    hits = np.array([in_asymmetric_unit(d, name) for d in mates.transpose(1, 0, 2)]).sum(axis=1)
    assert np.all(hits >= 1)
    assert np.mean(hits == 1) > 0.99


@pytest.mark.parametrize("name", ["C0", "X9", "D", "", "C-1", "I5", "c 8"])
def test_what_is_no_point_group_is_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(ValueError, match="is not a point group; expected C1"):
        parse_symmetry(name)
