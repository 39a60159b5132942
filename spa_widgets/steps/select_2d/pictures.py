"""Class averages as pictures: the atlas that a view cuts its tiles from, and a report without a kernel."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.display import atlas
from spa_widgets.steps.select_2d.facts import class_frc
from spa_widgets.viewers.base import Answer
from spa_widgets.viewers.encode import PNG, WEBP, encode, img_tag

_LARGEST_WEBP_PX = 16_383


def atlas_answer(images: NDArray[np.float32]) -> Answer:
    """Give all class averages in one picture, and the class of each tile in reading order."""
    columns = max(1, math.ceil(math.sqrt(len(images))))
    picture = np.asarray(atlas(images, columns, sigma=0.0))
    mime = WEBP if max(picture.shape) <= _LARGEST_WEBP_PX else PNG
    facts = {"columns": columns, "numbers": list(range(1, len(images) + 1)), "mime": mime}
    return facts, [encode(picture, mime, 80)]


def frc_answer(csv: Path | None, number: int) -> Answer:
    """Give frequency (1/Å) and Fourier ring correlation of a class as float32, if they were kept."""
    found = class_frc(csv, number)
    if found is None:
        return {"found": False}, []
    resolution_A, frc = found
    return {"found": True}, [np.asarray(column, "<f4").tobytes() for column in (1.0 / resolution_A, frc)]


def gallery_html(images: NDArray[np.float32], rows: Sequence[dict[str, Any]], selected: Collection[int]) -> str:
    """Draw the classes with their counts, many particles first; selected ones have a frame."""
    cells = []
    for row in sorted(rows, key=lambda row: -(row["count"] or 0)):
        picture = np.asarray(atlas(images[row["number"] - 1][None], 1, sigma=0.0))
        border = "3px solid #0b6fb8" if row["number"] in selected else "3px solid transparent"
        image = img_tag(picture, f"class {row['number']}", 90, WEBP, 75)
        cells.append(
            f'<div style="display:inline-block;border:{border};margin:2px;text-align:center;font:11px sans-serif">'
            f"{image}<br>{row['number']}: {'–' if row['count'] is None else row['count']} · {_angstrom(row)}</div>"
        )
    total, chosen = (
        sum(row["count"] or 0 for row in some) for some in (rows, [row for row in rows if row["number"] in selected])
    )
    text = f"{len(selected)} of {len(rows)} classes, {chosen} of {total} particles"
    return f"<div>{''.join(cells)}<br>{escape(text)}</div>"


def _angstrom(row: dict[str, Any]) -> str:
    return "–" if row["resolution_A"] is None else f"{row['resolution_A']:.1f} Å"
