"""Sensible box sizes."""

from __future__ import annotations

import math

from scipy.fft import next_fast_len

BOX_DIAMETERS = 1.4
"""Side of the default box in particle diameters: room for the CTF's fringes and for background."""


def default_box_px(diameter_A: float, pixel_size_A: float) -> int:
    """Even side of small prime factors, at least BOX_DIAMETERS times the particle."""
    half = math.ceil(0.5 * BOX_DIAMETERS * diameter_A / pixel_size_A - 1e-6)
    return 2 * int(next_fast_len(max(4, half), real=True))


def even_px(side_px: int) -> int:
    """Return the side itself, or the next even one: the centre of an odd box lies elsewhere for some programs."""
    return side_px + side_px % 2


def window_px(output_px: int, ratio: float) -> int:
    """Return the even side of the least window that holds images of ``output_px`` pixels, each ``ratio`` of its own."""
    return 2 * math.ceil(0.5 * output_px * ratio - 1e-4)
