"""What is said about FSC curves."""

from __future__ import annotations

from engine.validation.curves import FSCCurves
from spa_widgets.guard.finding import Finding


def too_tight(found: FSCCurves) -> Finding:
    """Say that a mask makes correlation of its own, and what to do."""
    tight_A, corrected_A = found.resolution("tight"), found.resolution("corrected")
    return Finding("mask_too_tight", tight_A=tight_A, corrected_A=corrected_A, noise=found.mask_correlation)
