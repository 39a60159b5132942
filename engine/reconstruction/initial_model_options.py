"""Settings of the ab-initio search and its schedule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.symmetry import parse_symmetry, point_group


@dataclass(frozen=True)
class InitialModelOptions:
    """Settings of `engine.reconstruction.initial_model.initial_model`.

    Attributes
    ----------
    mask_diameter_A : diameter of the soft sphere that holds the model.
    symmetry : point group imposed on the model.
    classes : number of models that the particles are shared among.
    start_resolution_A, final_resolution_A : working resolution at the beginning and at the end.
    max_shift_A : largest error of centring.
    starts : random starts that are tried; the one that predicts new images best is carried on.
    start_iterations : iterations of each start before they are compared.
    iterations : iterations in all of the start that is carried on; each takes one mini-batch from each of six folds.
    batch_first, batch_last : particles of a mini-batch at the beginning and at the end.
    memory_first, memory_last : how many images the running sums remember at the beginning and at the end, never more
        than there are: what an earlier, poorer model made of an image would hold the next one back.
    search_resolution_A : resolution of the search over all poses; finer detail takes part in what follows it.
    angular_sampling : step of that search as a share of what its resolution needs.
    candidates : poses of an image that are followed up in C1; fewer in a point group, where fewer compete.
    """

    mask_diameter_A: float
    symmetry: str = "C1"
    classes: int = 1
    start_resolution_A: float = 35.0
    final_resolution_A: float = 12.0
    max_shift_A: float = 12.0
    starts: int = 4
    start_iterations: int = 5
    iterations: int = 16
    batch_first: int = 100
    batch_last: int = 200
    memory_first: int = 240
    memory_last: int = 4000
    search_resolution_A: float = 26.0
    angular_sampling: float = 0.9
    candidates: int = 64

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        parse_symmetry(self.symmetry)
        if not 0 < self.final_resolution_A <= self.start_resolution_A:
            raise ValueError(
                f"the resolution goes from {self.start_resolution_A} Å to {self.final_resolution_A} Å; "
                "it must get finer: give a smaller final resolution"
            )
        if not 1 <= self.start_iterations < self.iterations:
            raise ValueError(
                f"{self.start_iterations} iterations before the starts are compared of {self.iterations} in all; "
                "give at least 1 and fewer than all"
            )
        if min(self.starts, self.classes, self.batch_first, self.candidates) < 1:
            raise ValueError("starts, classes, batch sizes and candidates must be at least 1")

    def resolution_A(self, iteration: int) -> float:
        """Working resolution: constant for the first 15 %, then linear in frequency until 75 % of the run."""
        share = float(np.clip((self._share(iteration) - 0.15) / 0.6, 0.0, 1.0))
        low, high = 1 / self.start_resolution_A, 1 / self.final_resolution_A
        return 1 / (low + (high - low) * share)

    def batch(self, iteration: int) -> int:
        """Particles of a mini-batch."""
        return round(self.batch_first + (self.batch_last - self.batch_first) * self._share(iteration))

    def memory(self, iteration: int, count: int) -> int:
        """Images that the running sums remember: at the end each image of a small set once, with its latest pose."""
        last = max(min(self.memory_last, count), 1)
        first = min(self.memory_first, last)
        return round(first * (last / first) ** self._share(iteration))

    @property
    def followed(self) -> int:
        """Poses of an image that are followed up, for each class."""
        return max(16, round(self.candidates / np.sqrt(len(point_group(self.symmetry)))))

    def _share(self, iteration: int) -> float:
        return iteration / max(1, self.iterations - 1)
