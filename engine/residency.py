"""Particle images that stay on a device from one step to the next: a stack crosses the bus once.

Images are known by a number that stands for their content, so several data sets may show the same ones, in any order.
What was not used for longest leaves first; that costs another upload and never changes a result.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, free_device_bytes

Load = Callable[[NDArray[np.intp]], NDArray[np.float32]]

_SHARE_OF_FREE_MEMORY = 0.5
_IMAGES_OF_A_STACK = 1 << 32


class DeviceStacks:
    """A pool of images on one device for each box size.

    Parameters
    ----------
    limit_bytes : int or None
        Most that each pool may take; None takes half of what is free when it is first needed, or grows.
    """

    def __init__(self, limit_bytes: int | None = None) -> None:
        self._limit_bytes = limit_bytes
        self._stacks: dict[Hashable, int] = {}
        self._pools: dict[int, _Pool] = {}
        self._lock = threading.Lock()

    def numbers(self, stack: Hashable, index: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the numbers (m,) that stand for images of a stack.

        Parameters
        ----------
        stack : hashable
            Stands for the stack's content: a key of the store, or path, size and time of a file.
        index : (m,)
            Places in the stack.
        """
        with self._lock:
            known = self._stacks.setdefault(stack, len(self._stacks))
        return known * _IMAGES_OF_A_STACK + np.asarray(index, np.int64)

    def images(self, numbers: NDArray[np.int64], load: Load, box_px: int, expected: int, xp: Any) -> Array:
        """Return images ``(m, n, n)`` on the device; only those that are not there yet are loaded.

        Parameters
        ----------
        numbers : (m,)
            What stands for each image.
        load : callable
            Takes places in ``numbers``, gives those images on the host.
        box_px : int
            Their side.
        expected : int
            Images of the whole set, for which there should be room.
        xp : module
            Array namespace of the device.
        """
        with self._lock:
            pool = self._pools.setdefault(box_px, _Pool(box_px))
            places = pool.places(numbers)
            missing = np.flatnonzero(places < 0)
            if len(missing):
                _, once = np.unique(numbers[missing], return_index=True)
                missing = missing[np.sort(once)]
                if not pool.make_room(len(numbers), len(missing), expected, self._limit(pool), xp):
                    return xp.asarray(load(np.arange(len(numbers))))
                pool.add(numbers[missing], places[places >= 0], xp.asarray(load(missing)), xp)
                places = pool.places(numbers)
            return pool.take(places, xp)

    def _limit(self, pool: _Pool) -> int:
        """Most images that a pool may hold."""
        limit = self._limit_bytes
        if limit is None:
            limit = int(_SHARE_OF_FREE_MEMORY * (free_device_bytes() + pool.nbytes))
        return max(limit // pool.image_bytes, 0)


class _Pool:
    """Images of one box size in one device array."""

    def __init__(self, box_px: int) -> None:
        self.box_px, self.image_bytes = box_px, 4 * box_px * box_px
        self._array: Array = None
        self._place: dict[int, int] = {}
        self._number = np.zeros(0, np.int64)
        self._used = np.zeros(0, np.int64)  # when each place was last used; 0 where it is empty
        self._clock = 0

    @property
    def nbytes(self) -> int:
        """Bytes on the device."""
        return len(self._used) * self.image_bytes

    def places(self, numbers: NDArray[np.int64]) -> NDArray[np.intp]:
        """Places of images, -1 where they are not here."""
        return np.array([self._place.get(number, -1) for number in numbers.tolist()], np.intp)

    def make_room(self, together: int, missing: int, expected: int, limit: int, xp: Any) -> bool:
        """Let the pool grow for new images as far as it may; False when those wanted together do not fit at all."""
        capacity = len(self._used)
        wanted = min(max(len(self._place) + missing, expected), limit)
        if wanted > capacity:
            grown = xp.empty((wanted, self.box_px, self.box_px), dtype=xp.float32)
            if capacity:
                grown[:capacity] = self._array
            self._array = grown
            more = np.zeros(wanted - capacity, np.int64)
            self._number, self._used = np.concatenate([self._number, more - 1]), np.concatenate([self._used, more])
        return together <= len(self._used)

    def add(self, numbers: NDArray[np.int64], busy: NDArray[np.intp], images: Array, xp: Any) -> None:
        """Put images where there is room or where those lie that were not used for longest."""
        age = self._used.copy()
        age[busy] = np.iinfo(np.int64).max
        freed = np.sort(np.argsort(age, kind="stable")[: len(numbers)])
        for old in self._number[freed[self._used[freed] > 0]].tolist():
            del self._place[old]
        self._array[xp.asarray(freed)] = images
        self._number[freed] = numbers
        self._place.update(zip(numbers.tolist(), freed.tolist(), strict=True))

    def take(self, places: NDArray[np.intp], xp: Any) -> Array:
        """Images at places, which count as used now."""
        self._clock += 1
        self._used[places] = self._clock
        return xp.take(self._array, xp.asarray(places), axis=0)
