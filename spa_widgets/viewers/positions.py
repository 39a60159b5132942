"""Positions on micrographs from elsewhere: picks of a program to accept, or the truth to compare with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spa_widgets.io.picks import read_picks
from spa_widgets.viewers import sources
from spa_widgets.viewers.micrographs import Micrographs

Points = NDArray[np.float32]
_NONE: Points = np.zeros((0, 2), np.float32)


class Positions:
    """Positions on each micrograph, less those that were dismissed.

    Parameters
    ----------
    points : mapping
        Number of a micrograph to positions x, y in px, shape (m, 2).
    """

    def __init__(self, points: Mapping[int, Points] | None = None) -> None:
        self._points = dict(points or {})

    @classmethod
    def of(cls, source: Any, micrographs: Micrographs) -> Positions:
        """Read the picks of a job, a STAR file, or a mapping of micrograph name to positions; None has none."""
        if source is None:
            return cls()
        if isinstance(source, Mapping):
            found = ((micrographs.index(name), np.asarray(points, np.float32)) for name, points in source.items())
            return cls({index: points.reshape(-1, 2) for index, points in found})
        table = read_picks(sources.file_of(source, ["picks"], ["picks.star"]))["particles"]
        columns = ["rlnCoordinateX", "rlnCoordinateY"]
        groups = table.groupby("rlnMicrographName", sort=False)
        known = {*micrographs.names, *(str(path) for path in micrographs.paths)}
        shown = [(str(name), rows) for name, rows in groups if {str(name), Path(str(name)).name} & known]
        return cls({micrographs.index(name): rows[columns].to_numpy(np.float32) for name, rows in shown})

    def on(self, index: int) -> Points:
        """Give all positions of a micrograph, shape (m, 2)."""
        return self._points.get(index, _NONE)

    def left(self, index: int, picks: Iterable[tuple[float, float]], apart_px: float) -> Points:
        """Give the positions of a micrograph that lie farther than ``apart_px`` from every pick, shape (m, 2)."""
        points = self.on(index)
        taken = np.asarray(list(picks), np.float32).reshape(-1, 2)
        if not len(points) or not len(taken):
            return points
        squares = ((points[:, None, :] - taken[None, :, :]) ** 2).sum(axis=-1)
        return points[squares.min(axis=1) > apart_px**2]

    def dismiss(self, index: int, x: float, y: float) -> None:
        """Take away the position of a micrograph that is nearest to (x, y)."""
        points = self.on(index)
        if len(points):
            nearest = int(((points - np.array([x, y], np.float32)) ** 2).sum(axis=-1).argmin())
            self._points[index] = np.delete(points, nearest, axis=0)
