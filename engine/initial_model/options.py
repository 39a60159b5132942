"""Settings of the ab-initio search and its schedule."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.symmetry import parse_symmetry

_COOLED = 0.75
_MOST_STARTS = 3


@dataclass(frozen=True)
class InitialModelOptions:
    """Settings of `engine.initial_model.ab_initio.initial_model`.

    Attributes
    ----------
    mask_diameter_A : diameter of the soft sphere that holds the model.
    symmetry : point group imposed on the model from `start_iterations` on, about the axes found by then.
    classes : number of models that the particles are shared among.
    start_resolution_A, final_resolution_A : working resolution at the beginning and at the end.
    max_shift_A : largest error of centring.
    starts : random starts that are tried, all without symmetry; the one that predicts new images best is carried on.
        None takes 3, or fewer once two have found the same model.
    start_iterations : iterations of each start before they are compared.
    iterations : iterations in all of the start that is carried on; each takes one mini-batch from each of six folds.
    batch_first, batch_last : particles of a mini-batch at the beginning and at the end.
    memory_first, memory_last : how many images the running sums remember at the beginning and at the end, never more
        than there are: what an earlier, poorer model made of an image would hold the next one back.
    search_resolution_A : resolution of the search over all poses; finer detail takes part in what follows it.
    angular_sampling : step of that search as a share of what its resolution needs.
    candidates : poses of an image that are followed up.
    heat_nats : log-likelihood that an image may put into the choice of its pose before the run cools down.
    """

    mask_diameter_A: float
    symmetry: str = "C1"
    classes: int = 1
    start_resolution_A: float = 35.0
    final_resolution_A: float = 9.0
    max_shift_A: float = 12.0
    starts: int | None = None
    start_iterations: int = 10
    iterations: int = 30
    batch_first: int = 50
    batch_last: int = 200
    memory_first: int = 240
    memory_last: int = 4000
    search_resolution_A: float = 26.0
    angular_sampling: float = 1.0
    candidates: int = 32
    heat_nats: float = 12.0

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
        if min(self.start_count, self.classes, self.batch_first, self.candidates) < 1:
            raise ValueError("starts, classes, batch sizes and candidates must be at least 1")
        if not self.heat_nats > 0:
            raise ValueError(f"an image may weigh {self.heat_nats:g} nats before the run cools down; give more than 0")

    @property
    def start_count(self) -> int:
        """Most random starts, also where `starts` leaves them open."""
        return _MOST_STARTS if self.starts is None else self.starts

    @property
    def free(self) -> InitialModelOptions:
        """The same without symmetry: how starts are made."""
        return replace(self, symmetry="C1")

    def resolution_A(self, iteration: int) -> float:
        """Working resolution: constant for 5 % of the run, linear in frequency to that of the search at 30 %.

        From there to 75 % of the run it goes on, linear in frequency, to the final one.
        """
        search_A = float(np.clip(self.search_resolution_A, self.final_resolution_A, self.start_resolution_A))
        stages_A = [self.start_resolution_A, self.start_resolution_A, search_A, self.final_resolution_A]
        return float(1 / np.interp(self._share(iteration), [0.0, 0.05, 0.3, _COOLED], 1 / np.array(stages_A)))

    def heat(self, iteration: int, strength: float) -> float:
        """Factor on log-likelihoods: what an image says (`strength`) counts for no more than `heat_nats` before 75 %.

        The better the images, the sooner would each choose between poses that are still alike, and never be moved
        again: views of one side would settle on one hand and those of the other side on the other. At the end of the
        run the factor is 1.
        """
        hot = min(1.0, self.heat_nats / max(strength, 1e-6))
        return float(hot ** np.interp(self._share(iteration), [_COOLED, 0.5 + 0.5 * _COOLED], [1.0, 0.0]))

    def batch(self, iteration: int) -> int:
        """Particles of a mini-batch: many small ones first, the larger ones towards the end."""
        share = max(0.0, self._share(iteration) - 0.5) / 0.5
        return round(self.batch_first + (self.batch_last - self.batch_first) * share**2)

    def memory(self, iteration: int, count: int) -> int:
        """Images that the running sums remember: at the end each image of a small set once, with its latest pose."""
        last = max(min(self.memory_last, count), 1)
        first = min(self.memory_first, last)
        return round(first * (last / first) ** self._share(iteration))

    def _share(self, iteration: int) -> float:
        return iteration / max(1, self.iterations - 1)
