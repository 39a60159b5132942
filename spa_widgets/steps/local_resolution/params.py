"""Parameters of the step that maps the local resolution."""

from __future__ import annotations

from spa_widgets.session.params import StepParams, param
from spa_widgets.session.registry import Input, Output, Step, register


class Params(StepParams):
    """How the half maps are compared around each voxel."""

    window_A: float = param(
        25.0,
        label="Window",
        unit="Å",
        help="Width of the neighbourhood: smaller shows finer differences and is less certain.",
        gt=0,
        le=200,
    )
    threshold: float = param(
        0.5, label="FSC threshold", help="The resolution is read where the local FSC falls below this.", gt=0, lt=1
    )
    coarsest_A: float = param(
        30.0, label="Coarsest", unit="Å", group="advanced", gt=0, le=200, help="Given where the halves agree nowhere."
    )


STEP = register(
    Step(
        name="local_resolution",
        version=1,
        params=Params,
        title="Local resolution",
        summary="Maps how far two half maps agree around each voxel, in Å, to colour a map by.",
        inputs=[
            Input("half_a", kind="half_map", help="First half map."),
            Input("half_b", kind="half_map", help="Second half map."),
            Input("mask", kind="mask", optional=True, help="Where the figures are taken; the map is not cut by it."),
        ],
        outputs=[Output("volume", kind="volume", file="local_resolution.mrc")],
        job="spa_widgets.steps.local_resolution.job:run",
    )
)
