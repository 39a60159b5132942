"""Particle images with what is known of each, streamed from wherever they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.arrays import Array, is_device
from engine.ctf.model import ctf_on_disc, ctf_rfft2
from engine.fourier.disc import HalfDisc
from engine.optics import Defocus, Optics
from engine.residency import DeviceStacks

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Particles:
    """A stack of particle images and the optics of each.

    Images are square, protein white, background mean 0 and standard deviation 1.

    Attributes
    ----------
    load : callable
        Takes indices ``(m,)``, gives images ``(m, n, n)`` float32 on the host.
    count : int
        Number of particles.
    box_px : int
        Side of the images in px.
    pixel_size_A : float
        Å per px.
    defocus : Defocus
        Arrays of shape ``(count,)``.
    optics : Optics
        Numbers or arrays of shape ``(count,)``.
    resident : DeviceStacks or None
        Keeps images on a device from one step to the next.
    numbers : (count,) int64 or None
        What stands for each image there (`DeviceStacks.numbers`).
    """

    load: Callable[[Indices], NDArray[np.float32]]
    count: int
    box_px: int
    pixel_size_A: float
    defocus: Defocus
    optics: Optics
    resident: DeviceStacks | None = None
    numbers: NDArray[np.int64] | None = None

    @classmethod
    def from_array(
        cls, images: NDArray[np.floating], pixel_size_A: float, defocus: Defocus, optics: Optics
    ) -> Particles:
        """Wrap images ``(count, n, n)`` that are in memory.

        Raises
        ------
        ValueError
            When the images are not a stack of squares.
        """
        if images.ndim != 3 or images.shape[1] != images.shape[2]:
            raise ValueError(f"Particle images have shape {images.shape}; expected (count, n, n).")

        def load(indices: Indices) -> NDArray[np.float32]:
            return np.asarray(images[indices], np.float32)

        return cls(load, len(images), images.shape[1], pixel_size_A, defocus, optics)

    def take(self, indices: ArrayLike) -> Particles:
        """Return some of the particles, numbered anew from 0."""
        chosen = np.asarray(indices, np.intp)
        return replace(
            self,
            load=lambda wanted: self.load(chosen[wanted]),
            count=len(chosen),
            defocus=self.defocus.take(chosen),
            optics=self.optics.take(chosen),
            numbers=None if self.numbers is None else self.numbers[chosen],
        )

    def images(self, indices: ArrayLike | None = None) -> NDArray[np.float32]:
        """Load images ``(m, n, n)``; all of them without ``indices``."""
        wanted = np.arange(self.count) if indices is None else np.asarray(indices, np.intp)
        return self.load(wanted)

    def images_on(self, indices: ArrayLike, xp: Any) -> Array:
        """Load images ``(m, n, n)`` to where an array namespace has its arrays; a device keeps them while it can."""
        wanted = np.asarray(indices, np.intp)
        if self.resident is None or self.numbers is None or not is_device(xp) or len(wanted) == 0:
            return xp.asarray(self.load(wanted))
        numbers = self.numbers[wanted]
        return self.resident.images(numbers, lambda part: self.load(wanted[part]), self.box_px, self.count, xp)

    def batches_on(self, parts: Sequence[Indices], xp: Any) -> Iterator[Array]:
        """Load one batch of images after the other; for a device the next is read while this one is worked on."""
        if not is_device(xp):
            yield from (self.images_on(part, xp) for part in parts)
            return
        with ThreadPoolExecutor(1, thread_name_prefix="images") as reader:
            coming = [reader.submit(self.images_on, part, xp) for part in parts[:1]]
            for following in [*parts[1:], None]:
                ready = coming.pop() if coming else None
                if following is not None:
                    coming.append(reader.submit(self.images_on, following, xp))
                if ready is not None:
                    yield ready.result()

    def ctf_on_disc(self, disc: HalfDisc, indices: ArrayLike, xp: Any = np) -> Array:
        """Return the CTF ``(m, K)`` of some particles on the coefficients of a disc."""
        wanted = np.asarray(indices, np.intp)
        # a disc may belong to the same images cropped to fewer pixels: the field of view is what counts
        pixel_size_A = self.pixel_size_A * self.box_px / disc.box_px
        return ctf_on_disc(disc, pixel_size_A, self.defocus.take(wanted), self.optics.take(wanted), xp)

    def ctf_rfft2(self, indices: ArrayLike, xp: Any = np) -> Array:
        """Return the CTF ``(m, n, n // 2 + 1)`` of some particles."""
        wanted = np.asarray(indices, np.intp)
        return ctf_rfft2(self.box_px, self.pixel_size_A, self.defocus.take(wanted), self.optics.take(wanted), xp)
