"""The modules ``cupy`` and ``cupyx`` of the stand-in, made from the list of CuPy's names."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import scipy.fft
import scipy.ndimage
import scipy.sparse

from cupy_on_cpu.array import TRAFFIC, device, host, ndarray, section, upload
from cupy_on_cpu.kernels import RawModule

_CONSTANTS = ("e", "inf", "nan", "newaxis", "pi")
_TYPES = (
    *("bool_", "dtype", "finfo", "iinfo", "generic", "number", "integer", "signedinteger", "unsignedinteger"),
    *("inexact", "floating", "complexfloating", "complex64", "complex128", "float16", "float32", "float64", "intp"),
    *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
)
MEMORY_BYTES = 1 << 34


def _checked(title: str, line: str, source: Any) -> tuple[str, Callable[..., Any]] | None:
    """One function of CuPy with NumPy's body, and CuPy's parameters."""
    name, _, parameters = line.partition(" ")
    body = getattr(source, name, None)
    if body is None:
        return None
    named = re.findall(r"[^\s(),]+", parameters)
    positional = named[: named.index("*")] if "*" in named else [p for p in named if not p.startswith("**")]
    anything = not parameters or any(p.startswith("*") and len(p) > 1 for p in named)
    allowed = {p.rstrip("=") for p in named if p != "*"}

    def call(*args: Any, **options: Any) -> Any:
        if not anything and (len(args) > len(positional) or not set(options) <= allowed):
            raise TypeError(f"{title}.{name} has the parameters {', '.join(named)}; got {len(args)} and {set(options)}")
        if not parameters and not set(options) <= {"out", "dtype", "casting"}:
            raise TypeError(f"{title}.{name} is a ufunc of CuPy; it does not take {set(options)}")
        options.pop("blocking", None)
        found = body(*host(args), **host(options))
        return options["out"] if options.get("out") is not None else device(found)

    call.__name__ = name
    return name, call


def _filled(title: str, source: Any) -> ModuleType:
    module = ModuleType(title)
    module.__spec__ = ModuleSpec(title, None)
    for line in section(title):
        found = _checked(title, line, source)
        if found:
            setattr(module, *found)
    return module


def asarray(a: Any, dtype: Any = None, order: Any = None, *, blocking: bool = False) -> ndarray:
    """``cupy.asarray``: what is on the host already is uploaded."""
    return array(a, dtype, False, order or "K")


def array(
    obj: Any, dtype: Any = None, copy: bool = True, order: Any = "K", subok: bool = False, ndmin: int = 0,
    *, blocking: bool = False,
) -> ndarray:  # fmt: skip
    """``cupy.array``."""
    if isinstance(obj, ndarray):
        found = obj._host.astype(obj.dtype if dtype is None else dtype, order=order, copy=bool(copy))
        return obj if found is obj._host else ndarray(found)
    if isinstance(obj, list | tuple) and any(isinstance(each, ndarray) for each in obj):
        return ndarray(np.array([host(each) for each in obj], dtype))
    return upload(np.array(obj, dtype, order=order, ndmin=ndmin))


class _Device:
    """``cupy.cuda.Device``: the only one."""

    def __init__(self, number: int | None = None) -> None:
        self.id = 0

    def __enter__(self) -> _Device:
        return self

    def __exit__(self, *_: Any) -> None: ...

    def synchronize(self) -> None: ...


class _Sparse:
    """A sparse matrix: products with dense arrays alone, which come back in Fortran order as cuSPARSE leaves them."""

    def __init__(self, parts: Any, shape: tuple[int, int] | None = None) -> None:
        if isinstance(parts, tuple):
            parts = scipy.sparse.csr_matrix(tuple(host(part) for part in parts), shape=shape)
            if parts.indices.dtype != np.int32 or parts.data.dtype.kind not in "fc":
                raise TypeError(f"cuSPARSE takes int32 indices and floating data; got {parts.indices.dtype}")
        self._matrix = parts

    @property
    def T(self) -> _Sparse:
        return _Sparse(self._matrix.T)

    def __matmul__(self, dense: ndarray) -> ndarray:
        if not isinstance(dense, ndarray) or dense.dtype != self._matrix.dtype:
            raise TypeError("cuSPARSE multiplies device arrays of one type")
        return ndarray(np.asfortranarray(self._matrix @ dense._host))


def _cuda() -> dict[str, ModuleType]:
    cuda, runtime, of_device = (ModuleType(f"cupy.cuda{part}") for part in ("", ".runtime", ".device"))
    runtime.CUDARuntimeError = RuntimeError  # type: ignore[attr-defined]
    runtime.getDeviceCount = lambda: 1  # type: ignore[attr-defined]
    runtime.getDevice = lambda: 0  # type: ignore[attr-defined]
    runtime.getDeviceProperties = lambda _: {"name": b"stand-in on the CPU"}  # type: ignore[attr-defined]
    runtime.memGetInfo = lambda: (MEMORY_BYTES, MEMORY_BYTES)  # type: ignore[attr-defined]
    cuda.Device = of_device.Device = _Device  # type: ignore[attr-defined]
    cuda.runtime, cuda.device = runtime, of_device  # type: ignore[attr-defined]
    return {"cupy.cuda": cuda, "cupy.cuda.runtime": runtime, "cupy.cuda.device": of_device}


@cache
def modules() -> dict[str, ModuleType]:
    """All modules by name; made once, because array-api-compat remembers the class of arrays."""
    cupy = _filled("cupy", np)
    for name in _CONSTANTS + _TYPES:
        setattr(cupy, name, getattr(np, name))
    cupy.ndarray, cupy.asarray, cupy.array = ndarray, asarray, array  # type: ignore[attr-defined]
    cupy.RawModule = RawModule  # type: ignore[attr-defined]
    cupy.get_default_memory_pool = lambda: SimpleNamespace(free_all_blocks=lambda: None)  # type: ignore[attr-defined]
    cupy.__version__ = "stand-in"  # type: ignore[attr-defined]
    cupyx, cupyx_scipy, sparse = (ModuleType(name) for name in ("cupyx", "cupyx.scipy", "cupyx.scipy.sparse"))
    sparse.csr_matrix = _Sparse  # type: ignore[attr-defined]
    found = {"cupy": cupy, "cupyx": cupyx, "cupyx.scipy": cupyx_scipy, "cupyx.scipy.sparse": sparse, **_cuda()}
    found |= {"cupy.fft": _filled("cupy.fft", scipy.fft), "cupy.linalg": _filled("cupy.linalg", np.linalg)}
    found["cupyx.scipy.fft"] = _filled("cupyx.scipy.fft", scipy.fft)
    found["cupyx.scipy.ndimage"] = _filled("cupyx.scipy.ndimage", scipy.ndimage)
    for name, module in found.items():
        parent, _, last = name.rpartition(".")
        if parent:
            setattr(found[parent], last, module)
    return found


def install(monkeypatch: Any, folder: Path) -> Any:
    """Put the stand-in where ``import cupy`` finds it until the test ends; gives its array-api-compat namespace.

    Parameters
    ----------
    monkeypatch : pytest.MonkeyPatch
    folder : Path
        Where kernels are compiled to.
    """
    from engine.kernels import cuda

    TRAFFIC.clear()
    RawModule.folder = folder
    for name, module in modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    for name, module in _compat().items():
        monkeypatch.setitem(sys.modules, name, module)
    cuda._kernel.cache_clear()
    return sys.modules["array_api_compat.cupy"]


@cache
def _compat() -> dict[str, ModuleType]:
    """array-api-compat's layer over the stand-in, imported once while the stand-in is in place."""
    import array_api_compat

    before = {name: module for name, module in sys.modules.items() if name.startswith("array_api_compat.cupy")}
    for name in before:
        del sys.modules[name]
    __import__("array_api_compat.cupy", fromlist=["fft", "linalg"])
    found = {name: module for name, module in sys.modules.items() if name.startswith("array_api_compat.cupy")}
    for name in found:
        del sys.modules[name]
    sys.modules.update(before)
    if before:
        array_api_compat.cupy = before["array_api_compat.cupy"]  # type: ignore[attr-defined]
    else:
        del array_api_compat.cupy
    return found
