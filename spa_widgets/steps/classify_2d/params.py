"""Parameters of 2D classification."""

from __future__ import annotations

from spa_widgets.session.params import SeededParams, param
from spa_widgets.session.registry import Input, Output, Step, register


class Params(SeededParams):
    """How particles are sorted into classes of like views."""

    classes: int = param(
        50,
        label="Classes",
        help="Number of classes: about one for each 50 to 500 particles, 10 for a first 100.",
        ge=1,
        le=1000,
    )
    mask_diameter_A: float = param(
        160.0,
        label="Mask diameter",
        unit="Å",
        help="Circle that holds the particle; class averages are empty outside.",
        gt=0,
        le=5000,
    )
    max_resolution_A: float = param(
        6.0,
        label="Maximum resolution",
        unit="Å",
        help="Finest detail compared (never beyond 0.9 of Nyquist).",
        gt=0,
        le=100,
    )
    iterations: int = param(
        20, label="Iterations", help="Iterations on mini-batches; full ones follow.", group="advanced", ge=0, le=500
    )
    full_iterations: int = param(
        1, label="Full iterations", help="Iterations over all particles at the end.", group="advanced", ge=1, le=100
    )
    batch_per_class: int = param(
        40,
        label="Batch size per class",
        help="Particles in a mini-batch for each class; small sets are taken whole.",
        group="advanced",
        ge=1,
        le=100_000,
    )
    marginalise: bool = param(
        True,
        label="Marginalise poses",
        help="Weight an image's poses by their probability; without, only its best pose counts.",
        group="advanced",
    )
    shift_range_A: float = param(
        16.0,
        label="Shift range",
        unit="Å",
        help="How far a particle may be from the centre of its box.",
        group="advanced",
        ge=0,
        le=200,
    )
    start_resolution_A: float = param(
        35.0,
        label="First resolution",
        unit="Å",
        help="Detail compared in the first iteration.",
        group="advanced",
        gt=0,
        le=500,
    )
    uncertainty_factor: float = param(
        2.0,
        label="Initial uncertainty",
        help="Factor on the noise variance at the start; it falls to 1. Larger keeps classes undecided for longer.",
        group="advanced",
        ge=0.1,
        le=20,
    )
    independent_beyond_A: float = param(
        40.0,
        label="Independent halves beyond",
        unit="Å",
        help="Finer detail is averaged apart for even and odd particles: aligned noise then does not look like signal.",
        group="advanced",
        gt=0,
        le=1000,
    )
    recentre: bool = param(True, label="Recentre", help="Move class averages to the box centre.", group="advanced")


STEP = register(
    Step(
        name="classify_2d",
        version=7,
        params=Params,
        title="2D classification",
        summary="Sorts particle images into classes of like views and averages each class.",
        inputs=[Input("particles", kind="particles", help="Particles to sort.")],
        outputs=[
            Output("classes", kind="classes", file="class_averages.mrcs"),
            Output("table", kind="class_table", file="classes.csv"),
            Output("frc", kind="class_frc", file="class_frc.csv"),
            Output("particles", kind="particles", file="particles.star"),
        ],
        job="spa_widgets.steps.classify_2d.job:run",
    )
)
