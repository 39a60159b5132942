"""Circles drawn into a picture, for reports without a browser view."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

GREEN, ORANGE = (60, 220, 160), (255, 120, 50)


def draw_circles(
    picture: NDArray[np.uint8],
    centres: Iterable[tuple[float, float]],
    radius: float,
    colour: tuple[int, int, int] = GREEN,
    width: int = 2,
) -> NDArray[np.uint8]:
    """Give a colour picture (h, w, 3) with a ring at each centre (x, y), all in pixels of the picture."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(np.ascontiguousarray(picture)).convert("RGB")
    draw = ImageDraw.Draw(image)
    for x, y in centres:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=width)
    return np.asarray(image)
