"""Picks of a set of micrographs that a person edits: add, remove, move, undo, redo."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

Point = tuple[float, float]
_UNDO_STEPS = 500


class PickList:
    """Lists of (x, y) in pixels, one for each micrograph, with undo.

    Parameters
    ----------
    count : int
        Number of micrographs.
    changed : callable
        Told the number of a micrograph whenever its picks changed.
    """

    def __init__(self, count: int, changed: Callable[[int], None]) -> None:
        self._points: list[tuple[Point, ...]] = [()] * count
        self._undo: list[tuple[int, tuple[Point, ...]]] = []
        self._redo: list[tuple[int, tuple[Point, ...]]] = []
        self._changed = changed

    def points(self, index: int) -> tuple[Point, ...]:
        """Give the picks of a micrograph."""
        return self._points[index]

    def counts(self) -> list[int]:
        """Give the number of picks of each micrograph."""
        return [len(points) for points in self._points]

    def add(self, index: int, x: float, y: float) -> None:
        """Add a pick."""
        self._set(index, (*self._points[index], (round(float(x), 1), round(float(y), 1))))

    def nearest(self, index: int, x: float, y: float) -> int:
        """Give the number of the pick nearest to a point, -1 if there is none."""
        distances = [(px - x) ** 2 + (py - y) ** 2 for px, py in self._points[index]]
        return distances.index(min(distances)) if distances else -1

    def remove(self, index: int, pick: int) -> None:
        """Remove a pick by its number."""
        points = self._points[index]
        self._set(index, points[:pick] + points[pick + 1 :])

    def move(self, index: int, pick: int, x: float, y: float) -> None:
        """Move a pick to another place."""
        points = list(self._points[index])
        points[pick] = (round(float(x), 1), round(float(y), 1))
        self._set(index, tuple(points))

    def replace(self, index: int, points: Sequence[Sequence[float]]) -> None:
        """Replace all picks of a micrograph."""
        self._set(index, tuple((round(float(x), 1), round(float(y), 1)) for x, y in points))

    def load(self, points: Mapping[int, Sequence[Sequence[float]]]) -> None:
        """Set the picks of some micrographs and forget what could be undone."""
        for index, values in points.items():
            self.replace(index, values)
        self._undo.clear()
        self._redo.clear()

    def undo(self) -> int:
        """Take back the last change; gives the micrograph it was on, -1 if there is nothing to take back."""
        return self._step(self._undo, self._redo)

    def redo(self) -> int:
        """Do again what was taken back."""
        return self._step(self._redo, self._undo)

    def _set(self, index: int, points: tuple[Point, ...]) -> None:
        self._undo.append((index, self._points[index]))
        del self._undo[:-_UNDO_STEPS]
        self._redo.clear()
        self._points[index] = points
        self._changed(index)

    def _step(self, source: list[tuple[int, tuple[Point, ...]]], target: list[tuple[int, tuple[Point, ...]]]) -> int:
        if not source:
            return -1
        index, points = source.pop()
        target.append((index, self._points[index]))
        self._points[index] = points
        self._changed(index)
        return index
