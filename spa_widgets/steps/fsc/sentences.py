"""What is said about FSC curves."""

from __future__ import annotations

from engine.validation.curves import FSCCurves


def too_tight(found: FSCCurves) -> str:
    """Say that a mask makes correlation of its own, and what to do."""
    return (
        f"The mask makes correlation of its own: inside it the FSC reaches {found.resolution('tight'):.2f} Å, but "
        f"noise correlates by {found.mask_correlation:.2f} there and the corrected curve ends at "
        f"{found.resolution('corrected'):.2f} Å. The mask is too tight or its edge too sharp: dilate it or make the "
        "edge softer."
    )
