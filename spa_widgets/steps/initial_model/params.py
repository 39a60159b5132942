"""Parameters of the ab-initio reconstruction."""

from __future__ import annotations

from spa_widgets.session.params import PointGroup, SeededParams, param
from spa_widgets.session.registry import Input, Output, Step, register


class Params(SeededParams):
    """How a first model is made from nothing."""

    symmetry: PointGroup = param(
        "C1", label="Symmetry", help="Point group: C1 is safe; impose C8, D2 … only when it is known from elsewhere."
    )
    classes: int = param(
        1, label="Classes", help="Models that share the particles; junk collects in the poorer ones.", ge=1, le=10
    )
    mask_diameter_A: float = param(
        160.0, label="Mask diameter", unit="Å", help="Sphere that holds the particle.", ge=20, le=3000
    )
    start_resolution_A: float = param(
        35.0, label="First resolution", unit="Å", help="Detail compared at the beginning.", ge=8, le=200
    )
    final_resolution_A: float = param(
        9.0, label="Final resolution", unit="Å", help="Detail compared at the end.", ge=4, le=100
    )
    starts: int | None = param(
        None,
        label="Random starts",
        help="Starts tried at low resolution, without symmetry; the one that best predicts images new to it is carried "
        "on. Empty: 3, or fewer once two have found the same model.",
        ge=1,
        le=50,
    )
    start_iterations: int = param(
        10,
        label="Iterations of a start",
        help="Iterations of each start before they are compared.",
        group="advanced",
        ge=1,
        le=200,
    )
    iterations: int = param(
        30,
        label="Iterations",
        help="Iterations in all of the start carried on; each takes six mini-batches.",
        group="advanced",
        ge=2,
        le=1000,
    )
    batch_first: int = param(
        50, label="First batch size", help="Particles of the first mini-batches.", group="advanced", ge=4, le=100_000
    )
    batch_last: int = param(
        200, label="Last batch size", help="Particles of the last mini-batches.", group="advanced", ge=4, le=100_000
    )
    heat_nats: float = param(
        12.0,
        label="Weight of an image",
        unit="nat",
        help="Log-likelihood an image may put into its pose in the first three quarters of the run. Less keeps poses "
        "undecided longer (mirrored views, pseudo-symmetry); more is quicker.",
        group="advanced",
        gt=0,
        le=10_000,
    )
    max_shift_A: float = param(
        12.0,
        label="Shift range",
        unit="Å",
        help="How far particles may be from the centre of their boxes.",
        group="advanced",
        ge=0,
        le=200,
    )


STEP = register(
    Step(
        name="initial_model",
        version=7,
        params=Params,
        title="Ab-initio reconstruction",
        summary="Make a first model from particles whose poses are unknown.",
        inputs=[Input("particles", kind="particles", help="Particles, best those of good 2D classes.")],
        outputs=[
            Output("volume", kind="volume", file="volume_1.mrc"),
            *(Output(f"volume_{i}", kind="volume", file=f"volume_{i}.mrc", optional=True) for i in range(2, 11)),
            Output("particles", kind="particles", file="particles.star"),
        ],
        job="spa_widgets.steps.initial_model.job:run",
    )
)
