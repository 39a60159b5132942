"""The only module that knows which array library is in use.

Functions of the engine take the namespace of their input (`array_namespace`), so the same body runs on
NumPy and on CuPy and gives back what it was given: same library, device and dtype.
"""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType
from typing import Any

import array_api_compat
import numpy as np

Array = Any
"""An array of any supported library; its library is the library of the result."""


def array_namespace(*arrays: Array) -> Any:
    """Return the array namespace shared by all inputs.

    Parameters
    ----------
    *arrays : array
        NumPy, CuPy or array-api-strict arrays; Python scalars are ignored.

    Returns
    -------
    module
        The namespace of array-api-compat for that library.

    Raises
    ------
    TypeError
        When arrays of two libraries are mixed.
    """
    return array_api_compat.array_namespace(*arrays)


def is_gpu(array: Array) -> bool:
    """Tell whether the array lives on a CUDA device (that is, whether it is a CuPy array)."""
    return bool(array_api_compat.is_cupy_array(array))


def is_numpy(array: Array) -> bool:
    """Tell whether the array is a NumPy array."""
    return bool(array_api_compat.is_numpy_array(array))


def to_numpy(array: Array) -> np.ndarray:
    """Copy the array to host memory as a NumPy array (no copy when it is one already)."""
    if is_gpu(array):
        return array.get()
    return np.asarray(array)


def on(xp: Any, array: Array) -> Array:
    """Return the array where a namespace has its arrays, on the device or on the host; itself when it is there."""
    return array if is_device(xp) == is_gpu(array) else xp.asarray(to_numpy(array))


def gpu_available() -> bool:
    """Tell whether CuPy is installed and sees a CUDA device."""
    if importlib.util.find_spec("cupy") is None:
        return False
    import cupy

    try:
        return int(cupy.cuda.runtime.getDeviceCount()) > 0
    except cupy.cuda.runtime.CUDARuntimeError:
        return False


def gpu_name() -> str:
    """Return the name of the CUDA device in use, or an empty string where there is none."""
    if not gpu_available():
        return ""
    import cupy

    properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.runtime.getDevice())
    return str(properties["name"].decode())


def free_device_bytes() -> int:
    """Return the bytes that are free on the CUDA device in use, those that CuPy holds in reserve not counted."""
    import cupy

    return int(cupy.cuda.runtime.memGetInfo()[0])


def free_reserved_memory() -> None:
    """Let CuPy give back what it holds in reserve on the CUDA device; without CuPy nothing happens."""
    if gpu_available():
        import cupy

        cupy.get_default_memory_pool().free_all_blocks()


def is_device(xp: Any) -> bool:
    """Tell whether an array namespace is that of a CUDA device."""
    return bool(array_api_compat.is_cupy_namespace(xp))


def resolve_device(device: str) -> str:
    """Turn ``"auto"``, ``"cpu"`` or ``"gpu"`` into the device to use.

    Raises
    ------
    ValueError
        When the name is unknown, or a GPU is asked for where there is none.
    """
    if device == "auto":
        return "gpu" if gpu_available() else "cpu"
    if device == "cpu":
        return "cpu"
    if device == "gpu":
        if gpu_available():
            return "gpu"
        raise ValueError(
            "Device 'gpu' was asked for, but CuPy finds no CUDA device: install the extra [gpu] on a machine "
            "with an NVIDIA card, or use device 'cpu'."
        )
    raise ValueError(f"Device is {device!r}; expected 'auto', 'cpu' or 'gpu'.")


def namespace(device: str) -> Any:
    """Return the array namespace for ``"cpu"`` (NumPy) or ``"gpu"`` (CuPy)."""
    library = "cupy" if resolve_device(device) == "gpu" else "numpy"
    return importlib.import_module(f"array_api_compat.{library}")


def scipy_module(array: Array, name: str) -> ModuleType:
    """Return a part of SciPy (``"fft"``, ``"ndimage"``, ``"sparse"``), or its twin in CuPy for a CuPy array."""
    return importlib.import_module(f"{'cupyx.scipy' if is_gpu(array) else 'scipy'}.{name}")


def for_scipy(array: Array) -> Array:
    """Return the array as SciPy or its twin takes it: CuPy's and NumPy's stay, others are copied to the host."""
    return array if is_gpu(array) else np.asarray(array)
