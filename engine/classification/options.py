"""What a person may choose about a 2D classification."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ClassificationOptions:
    """Options of `classify_2d`.

    Attributes
    ----------
    classes : int
        Number of classes.
    mask_diameter_A : float
        Diameter of the circle outside which class averages are zero.
    max_resolution_A : float
        Finest detail compared, in Å; never beyond 0.9 of Nyquist.
    start_resolution_A : float
        Detail compared in the first iteration.
    iterations : int
        Online (mini-batch) iterations.
    full_iterations : int
        Iterations over all particles at the end.
    batch_per_class : int
        Particles in a mini-batch for each class; when that is most of the set, every iteration takes all particles.
    shift_range_A : float
        Largest shift searched along x and y.
    marginalise : bool
        Weight poses by their posterior probability; otherwise each image counts at its best pose alone.
    uncertainty_factor : float
        Factor on the noise variance in the first iteration, falling to 1 (annealing).
    independent_beyond_A : float
        Detail finer than this is averaged apart for even and odd particles during the search, so that their
        correlation is not that of noise aligned to one reference; a small number shares everything.
    recentre : bool
        Move the centre of mass of class averages to the box centre.
    """

    classes: int = 50
    mask_diameter_A: float = 160.0
    max_resolution_A: float = 6.0
    start_resolution_A: float = 35.0
    iterations: int = 20
    full_iterations: int = 1
    batch_per_class: int = 40
    shift_range_A: float = 16.0
    marginalise: bool = True
    uncertainty_factor: float = 2.0
    independent_beyond_A: float = 40.0
    recentre: bool = True

    def __post_init__(self) -> None:
        """Refuse values that no classification can use."""
        positive = {
            "classes": self.classes,
            "mask_diameter_A": self.mask_diameter_A,
            "max_resolution_A": self.max_resolution_A,
            "start_resolution_A": self.start_resolution_A,
            "batch_per_class": self.batch_per_class,
            "full_iterations": self.full_iterations,
            "independent_beyond_A": self.independent_beyond_A,
            "uncertainty_factor": self.uncertainty_factor,
        }
        for name, value in positive.items():
            if not value > 0:
                raise ValueError(f"2D classification: {name} is {value}; expected a positive number.")
        if self.iterations < 0 or self.shift_range_A < 0:
            raise ValueError("2D classification: iterations and shift_range_A must not be negative.")
