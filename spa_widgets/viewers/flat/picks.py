"""Picks as napari's points."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spa_widgets.errors import UserError
from spa_widgets.viewers.flat.pictures import Pictures
from spa_widgets.viewers.positions import Positions


def picks_of(source: Any, pictures: Pictures) -> NDArray[np.float32]:
    """Give picks as rows (y, x), or (number, y, x) of a stack.

    Raises
    ------
    UserError
        When they cannot belong to these pictures.
    """
    groups = _groups(source, pictures)
    flat = pictures.data.ndim == 2
    rows = [np.column_stack([np.full(len(xy), number), xy[:, ::-1]]) for number, xy in groups.items()]
    points = np.concatenate([np.zeros((0, 3), np.float32), *rows]).astype(np.float32)
    return points[:, 1:] if flat else points


def _groups(source: Any, pictures: Pictures) -> dict[int, NDArray[np.float32]]:
    if hasattr(source, "ndim") or isinstance(source, list | tuple):
        xy = np.asarray(source, np.float32)
        if xy.ndim != 2 or xy.shape[1] != 2:
            raise UserError(f"the picks have the shape {xy.shape}; give x and y of each, shape (m, 2)")
        return {0: xy}
    if pictures.micrographs is None:
        raise UserError("these pictures are no micrographs with names; give the picks as an array of shape (m, 2)")
    found = Positions.of(source, pictures.micrographs)
    return {number: found.on(number) for number in range(pictures.micrographs.count)}
