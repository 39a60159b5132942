"""The device of these tests: the stand-in for CuPy, or with ``--gpu`` a real card and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
import cupy_on_cpu
from cuda_on_cpu import compiler


@pytest.fixture(scope="session")
def kernel_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernels")


@pytest.fixture
def xp(request: pytest.FixtureRequest, kernel_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Array namespace of the device."""
    if request.config.getoption("--gpu"):
        from engine.arrays import namespace

        yield namespace("gpu")  # raises where CuPy sees no card: these tests then fail, they are not skipped
        return
    if compiler() is None:
        pytest.skip("no C++ compiler (g++ or clang++) is installed")
    yield cupy_on_cpu.install(monkeypatch, kernel_folder)
    from engine.kernels import cuda

    cuda._kernel.cache_clear()


@pytest.fixture
def traffic(xp: Any, request: pytest.FixtureRequest) -> cupy_on_cpu.Traffic:
    """Counts of what crosses between host and device (the stand-in alone can count)."""
    if request.config.getoption("--gpu"):
        pytest.skip("bytes are counted by the stand-in alone")
    return cupy_on_cpu.TRAFFIC
