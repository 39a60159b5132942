"""Options and state of a refinement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.geometry import euler_to_matrix, matrix_to_euler


@dataclass(frozen=True)
class RefinementOptions:
    """How to refine.

    Attributes
    ----------
    symmetry : str
        Point group.
    mask_diameter_A : float or None
        Diameter of the particle; None takes 85 % of the box.
    initial_low_pass_A : float
        The reference starts with no more detail than this.
    join_A : float
        The two halves' references share components coarser than this, so that they keep one orientation.
    coarse_step_deg : float
        Angular step of the global search.
    shift_range_A : float
        Largest shift of the first global search.
    max_iterations : int
    dynamic_mask : bool
        Follow the map with a mask once it is better than ``mask_start_A`` or most poses have settled (in a sphere the
        noise about a particle can hold its resolution back just above that); otherwise a sphere throughout.
    mask_start_A, mask_threshold, mask_near_A, mask_far_A : float
        The dynamic mask: threshold as a fraction of the maximum, 1 within the near distance, 0 beyond the far one.
    align_symmetry : bool
        Turn the initial model so that its symmetry axes stand where the group expects them.
    per_particle_scale : bool
        Estimate the contrast of each image.
    refine_defocus : bool
        Find the defocus of each particle once only local searches are left.
    defocus_range_A : float
        Largest change of a particle's defocus.
    padding : float
        Oversampling of transforms.
    """

    symmetry: str = "C1"
    mask_diameter_A: float | None = None
    initial_low_pass_A: float = 30.0
    join_A: float = 30.0
    coarse_step_deg: float = 7.5
    shift_range_A: float = 16.0
    max_iterations: int = 20
    dynamic_mask: bool = True
    mask_start_A: float = 12.0
    mask_threshold: float = 0.2
    mask_near_A: float = 6.0
    mask_far_A: float = 14.0
    align_symmetry: bool = True
    per_particle_scale: bool = True
    refine_defocus: bool = False
    defocus_range_A: float = 1000.0
    padding: float = 2.0


@dataclass(frozen=True)
class RefinementState:
    """Everything an iteration leaves behind; enough to go on from.

    Attributes
    ----------
    iteration : int
        Iterations done.
    seed : int
        Randomness of iteration i comes from (seed, i).
    rotations : (m, 3, 3) float64
    shifts_A : (m, 2) float64
        Translations that centre the images.
    confidence : (m,) float64
        Share of the posterior of the best orientation.
    scale : (m,) float64
        Contrast of each image, mean 1.
    defocus_shift_A : (m,) float64
        What was added to the defocus of each particle.
    noise : (2, n // 2 + 1) float64
        Power of the noise of each half on each shell.
    half_maps : (2, b, b, b) float32
        Without a prior and unmasked. The box of b px has the particles' field of view and holds what the iteration
        needed; that of the last one is the particles'.
    references : (2, b, b, b) float32
        With the prior; what the next iteration compares images with, before masking.
    volume : (b, b, b) float32
        The map: both halves together, with the prior, unmasked.
    mask : (b, b, b) float32
        Refinement mask.
    fsc : (b // 2 + 1,) float64
        Between the half maps inside the mask, corrected by noise substitution.
    resolution_A, best_resolution_A : float
        Where ``fsc`` drops below 0.143 now, and the best so far.
    global_resolution_A : float
        Resolution when all orientations were last searched.
    jumped : float
        Share of the particles that moved by more than 10° in the last search of all orientations.
    median_change_deg, mean_change_deg, median_change_A : float
        How far poses moved in this iteration.
    was_global : bool
        Whether this iteration searched all orientations.
    stalled : int
        Iterations since the resolution last improved.
    masked : bool
        The dynamic mask has taken over from the sphere, if there is to be one.
    finished : bool
        The pass with all resolution has been made.
    """

    iteration: int
    seed: int
    rotations: NDArray[np.float64]
    shifts_A: NDArray[np.float64]
    confidence: NDArray[np.float64]
    scale: NDArray[np.float64]
    defocus_shift_A: NDArray[np.float64]
    noise: NDArray[np.float64]
    half_maps: NDArray[np.float32]
    references: NDArray[np.float32]
    volume: NDArray[np.float32]
    mask: NDArray[np.float32]
    fsc: NDArray[np.float64]
    resolution_A: float
    best_resolution_A: float
    global_resolution_A: float
    jumped: float
    median_change_deg: float
    mean_change_deg: float
    median_change_A: float
    was_global: bool
    stalled: int
    masked: bool
    finished: bool

    @property
    def angles_deg(self) -> NDArray[np.float64]:
        """Rot, tilt and psi of each particle, (m, 3)."""
        return matrix_to_euler(self.rotations)

    def to_dict(self) -> dict[str, Any]:
        """Return the state as arrays and scalars."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RefinementState:
        """Rebuild a state from `to_dict`, also when scalars came back as arrays of no dimension."""
        plain = {"iteration": int, "seed": int, "stalled": int, "was_global": bool, "masked": bool, "finished": bool}
        values: dict[str, Any] = {}
        for field in fields(cls):
            value = data[field.name]
            if field.name in plain:
                values[field.name] = plain[field.name](value)
            elif field.type == "float":
                values[field.name] = float(value)
            else:
                values[field.name] = np.asarray(value)
        return cls(**values)

    def evolve(self, **changes: Any) -> RefinementState:
        """Return a copy with some fields changed."""
        return replace(self, **changes)


def initial_state(
    count: int,
    box_px: int,
    reference: NDArray[np.float32],
    mask: NDArray[np.float32],
    options: RefinementOptions,
    seed: int,
) -> RefinementState:
    """Return the state before the first iteration."""
    shells = box_px // 2 + 1
    both = np.broadcast_to(reference, (2, *reference.shape))
    return RefinementState(
        iteration=0,
        seed=seed,
        rotations=np.broadcast_to(euler_to_matrix(np.zeros(3)), (count, 3, 3)).copy(),
        shifts_A=np.zeros((count, 2)),
        confidence=np.zeros(count),
        scale=np.ones(count),
        defocus_shift_A=np.zeros(count),
        noise=np.zeros((2, shells)),
        half_maps=both,
        references=both,
        volume=reference,
        mask=mask,
        fsc=np.zeros(shells),
        resolution_A=options.initial_low_pass_A,
        best_resolution_A=options.initial_low_pass_A,
        global_resolution_A=float("inf"),
        jumped=1.0,
        median_change_deg=180.0,
        mean_change_deg=180.0,
        median_change_A=0.0,
        was_global=False,
        stalled=0,
        masked=False,
        finished=False,
    )
