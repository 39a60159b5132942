"""Compile and launch the CUDA sources of this package.

The sources lie beside this module as ``.cu`` files, so that compilers, editors and a test that runs them on the
CPU take them as they are. Reading its own source is the one file access of the engine: it is program text of the
installed package, read through `importlib.resources`, and depends on nothing that a caller gives. Compilation is
left to CuPy (NVRTC) at the first launch; CuPy keeps the result on disk for the next process.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

_HEADER = "half_cube.cuh"


@cache
def source_text(name: str) -> str:
    """Text of a CUDA source with its header put in place, ready for a compiler that sees no files.

    Parameters
    ----------
    name : str
        File name, such as ``"slices.cu"``.
    """
    folder = files("engine.kernels")
    text = folder.joinpath(name).read_text(encoding="utf-8")
    header = folder.joinpath(_HEADER).read_text(encoding="utf-8").replace("#pragma once\n", "")
    return text.replace(f'#include "{_HEADER}"', header)


@cache
def _kernel(source: str, name: str, device: int) -> Any:
    """Compiled kernel of one device."""
    import cupy

    with cupy.cuda.Device(device):
        return cupy.RawModule(code=source_text(source), options=("--std=c++17",)).get_function(name)


def launch(
    source: str, name: str, grid: tuple[int, int, int], block: tuple[int, int, int], arguments: Sequence[Any]
) -> None:
    """Run a kernel on the current device.

    Parameters
    ----------
    source : str
        File name of the CUDA source.
    name : str
        Name of the kernel.
    grid, block : (int, int, int)
        Numbers of blocks and of threads in a block.
    arguments : sequence
        CuPy arrays (C-contiguous) and NumPy scalars of the kernel's own types.
    """
    import cupy

    _kernel(source, name, cupy.cuda.runtime.getDevice())(grid, block, tuple(arguments))
