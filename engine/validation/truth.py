"""Figures of merit against a known truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from engine.optics import Defocus


def defocus_figures(found: Defocus, truth: Defocus) -> dict[str, float]:
    """Compare fitted with true defocus.

    Parameters
    ----------
    found, truth : Defocus
        Arrays of shape ``(count,)``.

    Returns
    -------
    dict
        ``mean_error_A``, ``worst_error_A`` and ``mean_error_percent`` of the mean defocus;
        ``mean_astigmatism_error_A``: length of the difference of the vectors (magnitude at twice the angle).
    """
    error_A = np.abs(np.asarray(found.mean_A) - np.asarray(truth.mean_A))
    astigmatism = [
        np.asarray(d.astigmatism_A) * np.exp(2j * np.deg2rad(np.asarray(d.angle_deg))) for d in (found, truth)
    ]
    return {
        "mean_error_A": float(error_A.mean()),
        "worst_error_A": float(error_A.max()),
        "mean_error_percent": float(100 * (error_A / np.asarray(truth.mean_A)).mean()),
        "mean_astigmatism_error_A": float(np.abs(astigmatism[0] - astigmatism[1]).mean()),
    }


def selection_figures(is_particle: ArrayLike, is_selected: ArrayLike) -> dict[str, float]:
    """Judge a selection of images of which it is known whether they are particles.

    Returns
    -------
    dict
        ``purity``: particles among the selected; ``kept``: selected among the particles (nan where there are none).
    """
    particle, selected = np.asarray(is_particle, bool), np.asarray(is_selected, bool)
    both = int((particle & selected).sum())
    return {
        "purity": both / selected.sum() if selected.any() else float("nan"),
        "kept": both / particle.sum() if particle.any() else float("nan"),
    }
