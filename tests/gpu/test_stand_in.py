"""The stand-in refuses what a card would refuse, and counts what crosses."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cupy_on_cpu
import numpy as np
import pytest
from cupy_on_cpu import Traffic

from engine.arrays import array_namespace, gpu_available, gpu_name, is_gpu, to_numpy
from engine.kernels import cuda


@pytest.fixture
def ones(xp: Any, traffic: Traffic) -> Any:
    return xp.ones((3, 4), dtype=xp.float32)


def test_it_passes_for_cupy(xp: Any, ones: Any) -> None:
    assert is_gpu(ones)
    assert gpu_available()
    assert array_namespace(ones) is xp
    assert is_gpu(ones[0, 0]), "an element of a device array is a device array"
    assert (2 * np.float32(3) * ones).dtype == xp.float32


@pytest.mark.parametrize(
    "mix",
    [
        lambda xp, a: a * np.ones(4),
        lambda xp, a: np.ones(4) + a,
        lambda xp, a: np.sin(a),
        lambda xp, a: np.sum(a),
        lambda xp, a: np.asarray(a),
        lambda xp, a: np.ones(3)[a[0]],
        lambda xp, a: a[np.array([0, 1])],
        lambda xp, a: xp.where(np.ones(4, bool), a, a),
        lambda xp, a: xp.sum(a, where=a > 0),
        lambda xp, a: range(a[0, 0]),
        lambda xp, a: xp.stack([a, np.ones((3, 4))]),
    ],
)
def test_mixing_host_and_device_is_refused(xp: Any, ones: Any, mix: Any) -> None:
    with pytest.raises(TypeError):
        mix(xp, ones)


def test_names_that_cupy_lacks_are_missing(xp: Any, ones: Any) -> None:
    assert hasattr(np, "trapezoid")
    assert not hasattr(xp, "trapezoid")
    with pytest.raises(AttributeError):
        ones.tostring()
    with pytest.raises(ValueError, match="dtype"):
        xp.asarray(np.array(["text"]))


def test_bytes_are_counted(xp: Any, traffic: Traffic) -> None:
    traffic.clear()
    array = xp.asarray(np.zeros((10, 10), np.float32))
    total = array + 1
    assert (traffic.up_bytes, traffic.down_bytes) == (400, 0)
    to_numpy(total)
    float(xp.sum(total))
    assert (traffic.up_bytes, traffic.down_bytes, traffic.downloads) == (400, 404, 2)


def test_wrong_kernel_arguments_are_refused(xp: Any, ones: Any) -> None:
    with pytest.raises(AssertionError, match="arguments"):
        cuda.launch("slices.cu", "symmetrise", (1, 1, 1), (1, 1, 1), (ones,))


def test_it_leaves_no_trace(kernel_folder: Path) -> None:
    before = {name for name in sys.modules if "cupy" in name}
    with pytest.MonkeyPatch.context() as patch:
        cupy_on_cpu.install(patch, kernel_folder)
        assert gpu_available()
    assert {name for name in sys.modules if "cupy" in name} == before
    assert "stand-in" not in gpu_name()


@pytest.mark.skipif(find_spec("cupy") is not None, reason="CuPy is installed: there may be a card")
def test_the_tests_for_a_card_fail_without_one() -> None:
    wanted = [f"{Path(__file__).with_name('test_kernels_on_device.py')}::test_slices_are_read_alike", "--gpu", "-q"]
    done = subprocess.run([sys.executable, "-m", "pytest", *wanted], capture_output=True, encoding="utf-8", timeout=200)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("1 error")
