"""Arrays of the stand-in: NumPy arrays out of NumPy's reach."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

NAMES = Path(__file__).with_name("names.txt")
_BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift")
_COMPARE = ("eq", "ne", "lt", "le", "gt", "ge")
_PLAIN = ("shape", "dtype", "ndim", "size", "nbytes", "itemsize", "strides")
_ARRAYS = ("T", "real", "imag")
_DOWN = ("item", "tolist", "tobytes")


@dataclass
class Traffic:
    """What crossed between host and device."""

    up_bytes: int = 0
    down_bytes: int = 0
    uploads: int = 0
    downloads: int = 0

    def clear(self) -> None:
        self.__init__()  # type: ignore[misc]


TRAFFIC = Traffic()


def section(title: str) -> list[str]:
    """Lines of one section of the list of CuPy's names."""
    text = NAMES.read_text(encoding="utf-8")
    return text.split(f"[{title}]\n")[1].split("\n[")[0].splitlines()


_METHODS = frozenset(section("cupy.ndarray"))


def host(value: Any) -> Any:
    """What a device function works on; a NumPy array among the arguments is an error, as it is for CuPy."""
    if isinstance(value, ndarray):
        return value._host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}: a NumPy array among device arrays")
    if isinstance(value, tuple | list):
        return type(value)(host(each) for each in value)
    if isinstance(value, dict):
        return {key: host(each) for key, each in value.items()}
    return value


def device(value: Any) -> Any:
    """Wrap NumPy's results; scalars become arrays without dimensions, which is what CuPy gives back."""
    if isinstance(value, np.ndarray | np.generic):
        return ndarray(np.asarray(value))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(device(each) for each in value))
    if isinstance(value, tuple | list):
        return type(value)(device(each) for each in value)
    return value


def upload(value: np.ndarray) -> ndarray:
    """Copy a host array to the device and count it."""
    TRAFFIC.up_bytes += value.nbytes
    TRAFFIC.uploads += 1
    return ndarray(np.array(value, order="K"))


class Flags:
    """The three flags that CuPy knows."""

    def __init__(self, flags: Any) -> None:
        self.c_contiguous, self.f_contiguous, self.owndata = flags.c_contiguous, flags.f_contiguous, flags.owndata


class ndarray:  # noqa: N801
    """A device array."""

    __slots__ = ("__weakref__", "_host")
    __array_ufunc__ = None
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, values: np.ndarray) -> None:
        if values.dtype.kind not in "biufc" or values.dtype.itemsize > (16 if values.dtype.kind == "c" else 8):
            raise ValueError(f"Unsupported dtype {values.dtype}")
        self._host = values

    def get(self) -> np.ndarray:
        """Copy to the host and count it."""
        TRAFFIC.down_bytes += self._host.nbytes
        TRAFFIC.downloads += 1
        return self._host.copy()

    def set(self, values: np.ndarray) -> None:
        """Copy from the host into this array and count it."""
        self._host[...] = upload(values)._host

    @property
    def flags(self) -> Flags:
        return Flags(self._host.flags)

    @property
    def device(self) -> int:
        return 0

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed: use .get()")

    def __array_function__(self, func: Any, *_: Any) -> Any:
        raise TypeError(f"numpy.{func.__name__} was called with a device array: take the function of its namespace")

    def __getattr__(self, name: str) -> Any:
        if name not in _METHODS:
            raise AttributeError(f"CuPy's arrays have no {name!r}")
        if name in _PLAIN:
            return getattr(self._host, name)
        if name in _ARRAYS:
            return ndarray(getattr(self._host, name))
        if name in _DOWN:
            return getattr(self.get(), name)
        return lambda *args, **options: device(getattr(self._host, name)(*host(args), **host(options)))

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Iterator[ndarray]:
        return (ndarray(np.asarray(each)) for each in self._host)

    def __getitem__(self, index: Any) -> ndarray:
        return ndarray(np.asarray(self._host[host(index)]))

    def __setitem__(self, index: Any, value: Any) -> None:
        self._host[host(index)] = host(value)

    def __repr__(self) -> str:
        return f"device {self._host!r}"


def _unary(name: str) -> Callable[[ndarray], ndarray]:
    return lambda self: device(getattr(operator, name)(self._host))


def _scalar(kind: type) -> Callable[[ndarray], Any]:
    return lambda self: kind(self.get())


def _binary(function: Callable[[Any, Any], Any], swapped: bool) -> Callable[[ndarray, Any], Any]:
    def apply(self: ndarray, other: Any) -> Any:
        if not isinstance(other, ndarray | np.ndarray | np.generic | int | float | complex):
            return NotImplemented
        left, right = self._host, host(other)
        return device(function(right, left) if swapped else function(left, right))

    return apply


def _in_place(function: Callable[[Any, Any], Any]) -> Callable[[ndarray, Any], ndarray]:
    def apply(self: ndarray, other: Any) -> ndarray:
        function(self._host, host(other))
        return self

    return apply


for _name in _BINARY:
    _function = getattr(operator, f"__{_name}__")
    setattr(ndarray, f"__{_name}__", _binary(_function, swapped=False))
    setattr(ndarray, f"__r{_name}__", _binary(_function, swapped=True))
    if _name != "matmul":
        setattr(ndarray, f"__i{_name}__", _in_place(getattr(operator, f"__i{_name}__")))
for _name in _COMPARE:
    setattr(ndarray, f"__{_name}__", _binary(getattr(operator, _name), swapped=False))
for _name in ("neg", "pos", "abs", "invert"):
    setattr(ndarray, f"__{_name}__", _unary(_name))
for _kind in (bool, int, float, complex):
    setattr(ndarray, f"__{_kind.__name__}__", _scalar(_kind))
