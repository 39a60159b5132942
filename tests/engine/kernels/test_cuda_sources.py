"""The CUDA sources without a card: whole, named where they are launched, and compiled for real GPUs.

What they compute is tested in tests/gpu, on the CPU or on a card.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.kernels import cuda

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))
from cuda_on_cpu import KERNELS, entry_points
from nvrtc import compile_for, library

SOURCES = sorted(path.name for path in KERNELS.glob("*.cu"))
ARCHITECTURES = (70, 75, 80, 86, 89, 90)


def test_sources_are_whole_for_a_compiler_without_files() -> None:
    assert SOURCES
    for name in SOURCES:
        text = cuda.source_text(name)
        assert "#include" not in text
        assert "read_cube(" in text
        assert len(entry_points((KERNELS / name).read_text(encoding="utf-8"))) > 0


def test_every_launch_names_a_kernel_that_exists() -> None:
    kernels = {
        name: set(re.findall(r"void run_(\w+)\(", entry_points((KERNELS / name).read_text(encoding="utf-8"))))
        for name in SOURCES
    }
    python = "".join((KERNELS / f"{Path(name).stem}_cuda.py").read_text(encoding="utf-8") for name in SOURCES)
    named = {name for names in kernels.values() for name in names}
    for name in named:
        assert f'"{name}"' in python, f"{name} is never launched"


@pytest.mark.parametrize("source", SOURCES)
def test_sources_compile_for_gpus(source: str, tmp_path: Path) -> None:
    nvrtc = library()
    if nvrtc is None:
        return _with_nvcc(source, tmp_path)
    for architecture in ARCHITECTURES:
        size, said = compile_for(nvrtc, cuda.source_text(source), architecture)
        assert size > 1000, f"sm_{architecture}: {said}"
        assert not said, f"sm_{architecture}: {said}"


def _with_nvcc(source: str, tmp_path: Path) -> None:
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("neither the wheel nvidia-cuda-nvrtc-cu12 nor nvcc is installed")
    listed = subprocess.run(
        [nvcc, "--list-gpu-arch"], capture_output=True, encoding="utf-8", check=True, timeout=60
    ).stdout
    known = {int(number) for number in re.findall(r"compute_(\d+)\b", listed)}
    wanted = [number for number in ARCHITECTURES if number in known]
    assert wanted, f"nvcc knows none of {ARCHITECTURES}"
    chosen = {wanted[0], wanted[-1]}  # it is slow: the oldest and the newest; what lies between uses nothing else
    targets = [f"-gencode=arch=compute_{n},code=sm_{n}" for n in sorted(chosen)]
    text = tmp_path / source  # as CuPy gets it: one text, no header beside it
    text.write_text(cuda.source_text(source), encoding="utf-8")
    command = [nvcc, "-std=c++17", "-Werror", "all-warnings", "-fatbin", *targets, str(text), "-o", f"{text}.fatbin"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=200, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Path(f"{text}.fatbin").stat().st_size > 1000


def test_the_compiler_would_notice_a_mistake() -> None:
    nvrtc = library()
    if nvrtc is None:
        pytest.skip("the wheel nvidia-cuda-nvrtc-cu12 is not installed")
    size, said = compile_for(nvrtc, cuda.source_text(SOURCES[0]).replace("float2", "float7"), 80)
    assert size == 0
    assert "float7" in said
