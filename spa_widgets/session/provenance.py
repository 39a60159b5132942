"""What is recorded beside a result and never hashed: versions, device, machine."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = ("spa-widgets", "numpy", "scipy", "numba", "array-api-compat", "pydantic", "mrcfile", "pandas",
             "gemmi", "cupy-cuda12x")  # fmt: skip


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def device_description(device: str) -> dict[str, Any]:
    """Say what a job ran on: kind, name, number of cores and system."""
    name = _gpu_name() if device == "gpu" else _cpu_name()
    return {"kind": device, "name": name, "cores": os.cpu_count() or 1, "system": platform.platform(terse=True)}


@cache
def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _gpu_name() -> str:
    from engine.arrays import gpu_name

    return gpu_name()


def plain(value: Any) -> Any:
    """Turn a value into what JSON can hold: arrays become lists, NaN and infinity become None."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    return str(value)
