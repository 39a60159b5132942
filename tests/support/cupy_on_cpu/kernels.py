"""``cupy.RawModule`` of the stand-in: CUDA text compiled by g++, its arguments checked against the signature."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from cuda_on_cpu import SIGNATURE, compile_text, compiler

from cupy_on_cpu.array import ndarray

_TYPES = {"float": np.float32, "int": np.int32, "short": np.int16, "float2": np.complex64, "unsigned": np.uint32}
_LIBRARIES: dict[str, ctypes.CDLL] = {}


class RawModule:
    """Kernels of one source."""

    folder: Path

    def __init__(self, code: str, options: Sequence[str] = ()) -> None:
        if compiler() is None:
            raise RuntimeError("the stand-in needs g++ or clang++ for CUDA kernels")
        self._code = code
        key = sha256(code.encode()).hexdigest()[:16]
        if key not in _LIBRARIES:
            _LIBRARIES[key] = compile_text(code, key, self.folder)
        self._library = _LIBRARIES[key]

    def get_function(self, name: str) -> Callable[..., None]:
        """Return what launches a kernel."""
        parameters = dict(SIGNATURE.findall(self._code))[name].split(",")
        entry = getattr(self._library, f"run_{name}")

        def launch(grid: Sequence[int], block: Sequence[int], arguments: Sequence[Any]) -> None:
            assert len(arguments) == len(parameters), f"{name} takes {len(parameters)} arguments, got {len(arguments)}"
            assert all(0 < n <= 65535 for n in grid[1:]) and 0 < grid[0] < 1 << 31, f"grid {grid}"
            assert np.prod(block) <= 1024, f"block {block}"
            sizes = [ctypes.c_uint(int(n)) for n in (*grid, *block)]
            entry(*sizes, *(_argument(p, a) for p, a in zip(parameters, arguments, strict=True)))

        return launch


def _argument(parameter: str, value: Any) -> Any:
    kind = _TYPES[re.sub(r"\b(const|__restrict__)\b|[*&]", " ", parameter).split()[0]]
    if "*" in parameter:
        assert isinstance(value, ndarray), f"{parameter}: expected a device array, got {type(value)}"
        assert value._host.flags.c_contiguous, f"{parameter}: the array is not contiguous"
        same = value.dtype == kind or (kind == np.complex64 and value.dtype == np.float32)
        assert same, f"{parameter}: the array is {value.dtype}"
        return ctypes.c_void_p(value._host.ctypes.data)
    assert isinstance(value, kind), f"{parameter}: got {type(value)}"
    return ctypes.c_float(float(value)) if kind == np.float32 else ctypes.c_int(int(value))
