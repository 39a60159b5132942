"""How far the CTF spreads detail, and what that asks of the box.

Detail of the frequency ``k`` is displaced by ``λ Δf k − Cs λ³ k³``, the slope of the CTF's phase over 2π. Where that is
more than half the box, the CTF turns faster than the box samples it, and the detail is lost (Rosenthal & Henderson,
J Mol Biol 333, 721, 2003).
"""

from __future__ import annotations

import numpy as np

from engine.optics import Optics

_STEPS = 1000


def delocalisation_A(defocus_A: float, optics: Optics, resolution_A: float) -> float:
    """Return the largest displacement in Å of detail as coarse as a resolution or coarser."""
    return float(np.abs(_displacements_A(defocus_A, optics, resolution_A)).max())


def aliasing_resolution_A(defocus_A: float, optics: Optics, box_A: float, nyquist_A: float) -> float:
    """Return the resolution in Å from which on the CTF is aliased in a box; 0 where it is not up to Nyquist.

    Parameters
    ----------
    defocus_A : float
        Å, underfocus positive.
    optics : Optics
    box_A : float
        Side of the box in Å.
    nyquist_A : float
        Twice the pixel size in Å.
    """
    over = np.flatnonzero(np.abs(_displacements_A(defocus_A, optics, nyquist_A)) > box_A / 2)
    return float(nyquist_A * _STEPS / (over[0] + 1)) if over.size else 0.0


def _displacements_A(defocus_A: float, optics: Optics, resolution_A: float) -> np.ndarray:
    """Displacement at even steps of the frequency, the last at the resolution."""
    k_per_A = np.arange(1, _STEPS + 1) / (_STEPS * resolution_A)
    lam_A, cs_A = float(optics.wavelength_A), float(optics.cs_mm) * 1e7
    return np.asarray(lam_A * defocus_A * k_per_A - cs_A * lam_A**3 * k_per_A**3)
