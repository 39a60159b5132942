"""The history of jobs as a picture: every job a node, every use of a result an edge."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from spa_widgets.session.display import STATE_COLOURS, STATE_SYMBOLS
from spa_widgets.session.queue import JobRow

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 178, 42, 26, 40, 12


@dataclass(frozen=True)
class JobTree:
    """The jobs of a project with what they use; shows itself in a notebook and prints as text.

    Attributes
    ----------
    rows
        The jobs.
    titles
        Title of each step by its name.
    """

    rows: tuple[JobRow, ...]
    titles: dict[str, str]

    def parents(self, row: JobRow) -> list[int]:
        """Numbers of the jobs whose results a job uses."""
        known = {other.number for other in self.rows}
        refs = (ref for ref in row.spec.get("inputs", {}).values())
        return sorted({int(ref["job"]) for ref in refs if "job" in ref} & known)

    def levels(self) -> dict[int, int]:
        """Row of each job in the picture: below all that it uses."""
        levels: dict[int, int] = {}
        for row in self.rows:  # a job's inputs have smaller numbers
            levels[row.number] = 1 + max((levels.get(number, -1) for number in self.parents(row)), default=-1)
        return levels

    def places(self) -> dict[int, tuple[int, int]]:
        """Place ``(column, level)`` of each job: in the column of its first parent where that is free."""
        levels, taken = self.levels(), set()
        places: dict[int, tuple[int, int]] = {}
        for row in self.rows:
            level = levels[row.number]
            columns = [places[number][0] for number in self.parents(row)]
            column = min(columns, default=0)
            while (column, level) in taken:
                column += 1
            places[row.number] = (column, level)
            taken.add((column, level))
        return places

    def _repr_svg_(self) -> str:
        places = self.places()
        corners = {
            number: (_MARGIN + column * (_WIDTH + _GAP_X), _MARGIN + level * (_HEIGHT + _GAP_Y))
            for number, (column, level) in places.items()
        }
        width = max((x for x, _ in corners.values()), default=0) + _WIDTH + _GAP_X + _MARGIN
        height = max((y for _, y in corners.values()), default=0) + _HEIGHT + _MARGIN
        edges = [_edge(corners[number], corners[row.number]) for row in self.rows for number in self.parents(row)]
        nodes = [self._node(row, *corners[row.number]) for row in self.rows]
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img" '
            f'aria-label="{escape(f"History of {len(self.rows)} jobs")}" font-family="sans-serif" font-size="12">'
            f"{''.join(edges)}{''.join(nodes)}</svg>"
        )

    def _node(self, row: JobRow, x: int, y: int) -> str:
        colour, symbol = STATE_COLOURS.get(row.state, "#999999"), STATE_SYMBOLS.get(row.state, "")
        title = self.titles.get(row.step, row.step)
        hint = f"{row.name} {title}: {row.state}{'. ' + row.error if row.error else ''}"
        return (
            f'<g><title>{escape(hint)}</title><rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" '
            f'fill="#ffffff" stroke="{colour}" stroke-width="2"/><text x="{x + 10}" y="{y + 17}" fill="{colour}" '
            f'font-weight="bold">{symbol} {escape(row.name)} {escape(row.state)}</text>'
            f'<text x="{x + 10}" y="{y + 34}" fill="#222222">{escape(title[:26])}</text></g>'
        )

    def __str__(self) -> str:
        """Return one line for each job."""
        lines = []
        levels = self.levels()
        for row in self.rows:
            uses = ", ".join(f"J{number}" for number in self.parents(row))
            indent = "  " * levels[row.number]
            lines.append(
                f"{indent}{STATE_SYMBOLS.get(row.state, '?')} {row.name} {self.titles.get(row.step, row.step)} "
                f"[{row.state}]{f' ← {uses}' if uses else ''}"
            )
        return "\n".join(lines) or "no jobs yet"

    __repr__ = __str__


def _edge(start: tuple[int, int], end: tuple[int, int]) -> str:
    if start[0] == end[0] and end[1] - start[1] > _HEIGHT + _GAP_Y:  # around the jobs in between
        x1 = x2 = start[0] + _WIDTH
        y1, y2 = start[1] + _HEIGHT // 2, end[1] + _HEIGHT // 2
        curve = f"M{x1} {y1} C{x1 + _GAP_X} {y1} {x1 + _GAP_X} {y2} {x2} {y2}"
    else:
        x1, y1 = start[0] + _WIDTH // 2, start[1] + _HEIGHT
        x2, y2 = end[0] + _WIDTH // 2, end[1]
        middle = (y1 + y2) // 2
        curve = f"M{x1} {y1} C{x1} {middle} {x2} {middle} {x2} {y2}"
    return f'<path d="{curve}" fill="none" stroke="#888888" stroke-width="1.5"/>'
