"""Many templates as sums of few: a bank of hundreds of turned class averages spans far fewer dimensions.

An image of the particle's size at the picker's resolution has some eighty degrees of freedom, however many templates
there are. A micrograph is correlated with a basis of them, and the templates' correlations are a matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace
from engine.picking.grid import frequencies_per_A

LEFT_OUT = 0.05
"""Share of the templates' energy, as a micrograph shows it, that the basis may lack on average."""

LARGEST_SHARE = 0.35
"""A basis of more than this share of the templates saves nothing."""

_HALF_SEEN_A = 35.0
"""Length at which a micrograph shows about half of the amplitude: coarser contrast the CTF takes away."""


@dataclass(frozen=True)
class Span:
    """Basis of a bank of m templates.

    Parameters
    ----------
    images : (k, n, n) float32, before the CTF.
    mix : (m, k) float32; templates are ``mix @ images``.
    """

    images: Array
    mix: Array

    def to(self, xp: Array) -> Span:
        """Return the same basis with its arrays in the library `xp`."""
        return Span(xp.asarray(self.images), xp.asarray(self.mix))


def span_of(images: NDArray[np.float32], pixel_size_A: tuple[float, float]) -> Span | None:
    """Find a basis of templates (m, n, n) by Gram-Schmidt, the worst template next; None where it saves nothing.

    Lengths are measured as a micrograph shows the templates, without the coarse contrast that any CTF suppresses. Sums
    are taken in a fixed order, whatever the number of threads.
    """
    count, side = len(images), images.shape[-1]
    ky, kx = frequencies_per_A((side, side), pixel_size_A)
    square = np.square(ky) + np.square(kx)
    shown = np.fft.irfft2(np.fft.rfft2(images) * (square / (square + _HALF_SEEN_A**-2)), s=(side, side))
    lengths = np.sqrt(np.einsum("myx,myx->m", shown, shown))
    # shown and plain side by side: what makes the first orthonormal is done to the second as well
    left = np.concatenate([shown.reshape(count, -1), images.reshape(count, -1)], axis=1) / lengths[:, None]
    left, pixels = left.astype(np.float32), side * side
    basis: list[NDArray[np.float32]] = []
    parts: list[NDArray[np.float32]] = []
    energy = np.ones(count, np.float32)
    while energy.mean() > LEFT_OUT:
        if len(basis) + 1 > LARGEST_SHARE * count:
            return None
        worst = int(energy.argmax())
        direction = left[worst] / np.sqrt(np.float32(np.square(left[worst, :pixels]).sum()))
        part = np.einsum("mp,p->m", left[:, :pixels], direction[:pixels])
        left -= part[:, None] * direction
        energy = energy - part * part
        basis.append(direction[pixels:].reshape(side, side))
        parts.append(part * lengths.astype(np.float32))
    return Span(np.stack(basis), np.stack(parts, axis=1))


def mixed_kernels(images: Array, mix: Array, weight: Array) -> tuple[Array, Array]:
    """Kernels of a basis, and how the templates' normalised kernels are mixed from them.

    Parameters
    ----------
    images : (k, n, n) the basis as the micrograph shows it.
    mix : (m, k) of `Span`.
    weight : (n, n) weight w of the bank.

    Returns
    -------
    kernels (k, n, n), w times the basis without its weighted mean; mix (m, k) so that each ``mix @ kernels`` is w t
    with Σ w t² = 1.
    """
    xp = array_namespace(images)
    centred = images - ((images * weight).sum(axis=(-2, -1)) / weight.sum())[:, None, None]
    kernels = centred * weight
    k = images.shape[0]
    products = kernels.reshape(k, -1) @ centred.reshape(k, -1).T
    square = ((mix @ products) * mix).sum(axis=1)
    return kernels, mix / xp.sqrt(xp.maximum(square, xp.float32(1e-20)))[:, None]
