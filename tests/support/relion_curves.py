"""Our FSC curves beside those of relion_postprocess on the same half maps and mask, over several random seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.validation.curves import FSCCurves

FSC = "rlnFourierShellCorrelation"
_NOISE = "rlnCorrectedFourierShellCorrelationPhaseRandomizedMaskedMaps"
_SHELLS_PAST_START = 2
_LEAST_SPREAD = 1e-3


def fixed_differences(ours: FSCCurves, theirs: dict[str, Any]) -> dict[str, float]:
    """Return the largest difference on any shell of the curves that no random phases enter.

    Parameters
    ----------
    ours : FSCCurves
        With the mask that RELION was given as the tight one.
    theirs : dict
        Tables of RELION's ``postprocess.star``.
    """
    columns = {"no_mask": f"{FSC}UnmaskedMaps", "tight": f"{FSC}MaskedMaps"}
    return {
        name: float(np.abs(ours.curves[name] - theirs["fsc"][column].to_numpy(float)).max())
        for name, column in columns.items()
    }


def random_deviations(ours: Sequence[FSCCurves], theirs: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return how far the means over seeds of the random curves are apart, on the worst shell, in standard deviations.

    The deviation is that of one difference between curves of two seeds. RELION writes the masked curve where the noise
    correlates more than the maps: there it is 0 when ours is below.

    Parameters
    ----------
    ours, theirs : sequences
        One of each seed, as `fixed_differences` takes them.
    """
    start = round(ours[0].box_px * ours[0].pixel_size_A / ours[0].randomised_from_A) + _SHELLS_PAST_START
    curves = {
        "phases randomised": (_NOISE, [found.randomised for found in ours], -1.0),
        "corrected": (f"{FSC}Corrected", [found.curves["corrected"] for found in ours], 0.0),
    }
    result = {}
    for what, (column, mine, least) in curves.items():
        known = np.array([each["fsc"][column].to_numpy(float) for each in theirs])[:, start:]
        found = np.clip(np.array(mine)[:, start:], least, 1)
        spread = np.sqrt(known.var(axis=0, ddof=1) + found.var(axis=0, ddof=1))
        apart = np.abs(found.mean(axis=0) - known.mean(axis=0))
        result[what] = float((apart / np.maximum(spread, _LEAST_SPREAD)).max())
    return result
