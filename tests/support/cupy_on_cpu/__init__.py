"""A stand-in for CuPy without a card: the GPU branches run line by line, and what a card would refuse is refused.

Its arrays hide their numbers: only `asarray` (up) and `get`, `item`, `float` and the like (down) cross between host and
device, and the bytes that do are counted. What CuPy refuses raises here too: NumPy arrays among device arrays, names,
parameters and methods that CuPy does not have (``names.txt`` was read from CuPy itself), wrong types of kernel
arguments. It is stricter in two points: NumPy's functions do not take device arrays, and index arrays must be on the
device already, because what CuPy does then is a silent copy. Kernels are compiled by g++ behind the shim of
`cuda_on_cpu`. What it cannot show is time, races and the limits of a card's memory.
"""

from cupy_on_cpu.array import TRAFFIC, Traffic, ndarray
from cupy_on_cpu.modules import install

__all__ = ["TRAFFIC", "Traffic", "install", "ndarray"]
