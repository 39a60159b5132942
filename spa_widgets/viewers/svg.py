"""Small SVG charts for reports: no kernel, no network, no library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

_WIDTH, _HEIGHT = 640, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 12, 44


@dataclass(frozen=True)
class Line:
    """A curve of a chart."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    name: str
    colour: str
    width: float = 1.5


def chart(
    lines: Sequence[Line],
    x_label: str,
    y_label: str,
    y_range: tuple[float, float],
    level: float | None = None,
    as_resolution: bool = False,
) -> str:
    """Draw curves.

    Parameters
    ----------
    lines : sequence of Line
    x_label, y_label : str
    y_range : (float, float)
        Ends of the vertical axis.
    level : float, optional
        A dotted horizontal line.
    as_resolution : bool
        Label the frequencies (1/Å) as resolutions (Å).
    """
    last = max((float(line.x[-1]) for line in lines), default=1.0) or 1.0
    low, high = y_range

    def x(value: float) -> float:
        return _LEFT + value / last * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - (min(max(value, low), high) - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [*_axes(x, y, last, y_range, as_resolution)]
    if level is not None:
        parts.append(f'<path d="M{_LEFT},{y(level):.1f}H{_WIDTH - _RIGHT}" stroke="#d55e00" stroke-dasharray="3 3"/>')
    for place, line in enumerate(lines):
        points = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(line.x, line.y, strict=True) if np.isfinite(b))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{line.colour}" stroke-width="{line.width}"/>')
        top = _TOP + 16 + 17 * place
        parts.append(f'<path d="M{_WIDTH - 190},{top - 4}h22" stroke="{line.colour}" stroke-width="{line.width}"/>')
        parts.append(f'<text x="{_WIDTH - 162}" y="{top}">{escape(line.name)}</text>')
    parts.append(f'<text x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(x_label)}</text>')
    middle = (_HEIGHT - _BOTTOM) / 2
    parts.append(
        f'<text transform="rotate(-90 14 {middle})" x="14" y="{middle}" text-anchor="middle">{escape(y_label)}</text>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'role="img" font-family="sans-serif" font-size="11.5" fill="#808a94">{"".join(parts)}</svg>'
    )


def _axes(x, y, last: float, y_range: tuple[float, float], as_resolution: bool) -> list[str]:  # type: ignore[no-untyped-def]
    bottom = _HEIGHT - _BOTTOM
    parts = [f'<path d="M{_LEFT},{_TOP}V{bottom}H{_WIDTH - _RIGHT}" fill="none" stroke="#808a94"/>']
    for value in np.linspace(0, last, 6)[1:]:
        text = f"{1 / value:.3g}" if as_resolution else f"{value:.3g}"
        parts.append(f'<text x="{x(value):.1f}" y="{bottom + 16}" text-anchor="middle">{text}</text>')
    for value in np.arange(0, y_range[1] + 1e-9, 0.2):
        parts.append(f'<path d="M{_LEFT},{y(value):.1f}H{_WIDTH - _RIGHT}" stroke="#808a94" stroke-opacity="0.25"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.1f}</text>')
    return parts
