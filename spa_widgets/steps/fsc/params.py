"""Parameters of the step that compares two half maps."""

from __future__ import annotations

from spa_widgets.session.params import SeededParams, param
from spa_widgets.session.registry import Input, Output, Step, register


class Params(SeededParams):
    """How the half maps are compared."""

    randomise_at_fsc: float = param(
        0.143,
        label="Randomise phases at FSC",
        help="Phases are randomised beyond the resolution where the no-mask FSC drops below this (RELION: 0.8).",
        gt=0,
        lt=1,
    )


STEP = register(
    Step(
        name="fsc",
        version=2,
        params=Params,
        title="FSC curves",
        summary="Compares two half maps: five FSC curves, their resolutions and the masks they were made with.",
        inputs=[
            Input("half_a", kind="half_map", help="First half map."),
            Input("half_b", kind="half_map", help="Second half map."),
            Input("mask", kind="mask", optional=True, help="Takes the place of the tight mask."),
        ],
        outputs=[
            Output("fsc", kind="fsc", file="fsc.csv"),
            Output("mask_tight", kind="mask", file="mask_tight.mrc"),
            Output("mask_loose", kind="mask", file="mask_loose.mrc"),
            Output("mask_spherical", kind="mask", file="mask_spherical.mrc"),
            Output("mask_auto", kind="mask", file="mask_auto.mrc"),
        ],
        job="spa_widgets.steps.fsc.job:run",
        quick=True,
    )
)
