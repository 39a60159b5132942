"""Several starts of the ab-initio search: how far their models agree, and the turn onto the axes of a point group.

A start that has a symmetry imposed from its first random model settles on a wrong axis about every other time: the
axis is chosen before there is anything to choose by. So starts are made without symmetry; the axes are looked for in
the model that they find, and the group is imposed from then on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.alignment.align import align_maps
from engine.alignment.rigid import transform_volume
from engine.alignment.symmetry_axis import find_symmetry
from engine.arrays import Array, to_numpy
from engine.fourier.shells import fourier_shell_correlation, resolution_at
from engine.initial_model.run import Run
from engine.initial_model.sums import FOLDS
from engine.symmetry import point_group


@dataclass(frozen=True)
class TurnedModels:
    """Models of a start without symmetry, turned onto the axes of a point group and averaged over it.

    Attributes
    ----------
    references : for each fold the models of all classes made without it.
    score : (classes,) how symmetric the models were before: near 1 for those that have the symmetry, near 0 or below
        for those that have not.
    """

    references: list[list[Array]]
    score: NDArray[np.float64]


def turn_onto_axes(run: Run, symmetry: str, resolution_A: float) -> TurnedModels:
    """Find the axes in the models of a run without symmetry, and give what its folds know of the symmetric ones."""
    pixel_A, xp = run.grid.pixel_size_A, run.preparer.xp
    operators = np.asarray(point_group(symmetry), dtype=np.float64)
    found = [
        find_symmetry(to_numpy(run.model(k, resolution_A)), pixel_A, symmetry, resolution_A)
        for k in range(run.options.classes)
    ]
    references = []
    for fold in range(FOLDS):
        models = []
        for k, axes in enumerate(found):
            model, shift_px = to_numpy(run.model(k, resolution_A, without=fold)), axes.shift_A / pixel_A
            mates = [transform_volume(model, g @ axes.rotation, g @ shift_px, order=3) for g in operators]
            models.append(xp.asarray(np.mean(mates, axis=0, dtype=np.float32)))
        references.append(models)
    return TurnedModels(references, np.array([axes.score for axes in found]))


def agreement_A(one: NDArray[np.float32], other: NDArray[np.float32], pixel_size_A: float) -> float:
    """Resolution to which two models have an FSC of 0.5, once laid onto each other, either hand; at most the box."""
    aligned = np.asarray(align_maps(other, one, pixel_size_A).aligned)
    n = one.shape[0]
    return min(resolution_at(fourier_shell_correlation(one, aligned), n, pixel_size_A, 0.5), n * pixel_size_A)
