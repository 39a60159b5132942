"""Whether a box is wide enough for the particle and for what the defocus spreads."""

from __future__ import annotations

from engine.checks.delocalisation import aliasing_resolution_A, delocalisation_A
from engine.optics import Optics
from spa_widgets.guard.finding import Finding

_LEAST_IN_DIAMETERS, _WANTED_IN_DIAMETERS = 1.2, 1.4
_WANTED_A = 4.5


def box_warnings(
    box_px: int,
    pixel_size_A: float,
    defocus_A: float,
    optics: Optics,
    diameter_A: float | None,
    unbinned_A: float | None = None,
) -> list[Finding]:
    """Return what is lost in a box.

    Parameters
    ----------
    box_px : int
    pixel_size_A : float
        Of the particles.
    defocus_A : float
        Typical one; 0 where it is not known.
    optics : Optics
    diameter_A : float, optional
        Of the particle or its mask.
    unbinned_A : float, optional
        Pixel size of the micrographs, for the remedy: the box in their px.
    """
    found, box_A = [], box_px * pixel_size_A

    def fix(needed_A: float) -> dict[str, int] | None:
        return None if unbinned_A is None else {"box_px": 2 * -int(-needed_A / unbinned_A // 2)}

    if diameter_A is not None and diameter_A <= box_A < _LEAST_IN_DIAMETERS * diameter_A:
        needed_A = _WANTED_IN_DIAMETERS * diameter_A
        about = {"box_A": box_A, "ratio": box_A / diameter_A, "diameter_A": diameter_A, "needed_A": needed_A}
        found.append(Finding("narrow_box", fix(needed_A), **about))
    nyquist_A = 2 * pixel_size_A
    wanted_A = max(_WANTED_A, nyquist_A)
    aliased_A = aliasing_resolution_A(defocus_A, optics, box_A, nyquist_A)
    if aliased_A > wanted_A:
        needed_A = 2 * delocalisation_A(defocus_A, optics, wanted_A)
        about = {"aliased_A": aliased_A, "needed_A": needed_A, "wanted_A": wanted_A, "box_A": box_A}
        found.append(Finding("aliased", fix(needed_A), defocus_A=defocus_A, **about))
    return found
