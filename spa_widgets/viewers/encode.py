"""Pictures as the browser takes them: JPEG or WebP bytes from uint8 arrays (never the float array)."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray

JPEG, WEBP, PNG = "image/jpeg", "image/webp", "image/png"


def encode(picture: NDArray[np.uint8], mime: str = JPEG, quality: int = 82) -> bytes:
    """Encode a grey (h, w) or colour (h, w, 3) uint8 picture.

    JPEG is quick (large pictures), WebP small (atlases), PNG exact.
    """
    from PIL import Image

    buffer = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(picture))
    if mime == JPEG:
        image.save(buffer, "JPEG", quality=quality)
    elif mime == WEBP:
        image.save(buffer, "WEBP", quality=quality, method=2)
    else:
        image.save(buffer, "PNG")
    return buffer.getvalue()


def img_tag(
    picture: NDArray[np.uint8], alt: str, width_px: int | None = None, mime: str = JPEG, quality: int = 70
) -> str:
    """Give an HTML ``<img>`` that carries its picture."""
    from html import escape

    data = base64.b64encode(encode(picture, mime, quality)).decode()
    width = f' width="{width_px}"' if width_px else ""
    return f'<img alt="{escape(alt, quote=True)}"{width} src="data:{mime};base64,{data}">'
