"""Parameters of the step that mirrors a map: none."""

from __future__ import annotations

from spa_widgets.session.params import StepParams
from spa_widgets.session.registry import Input, Output, Step, register


class Params(StepParams):
    """Nothing to choose."""


STEP = register(
    Step(
        name="flip_hand",
        version=1,
        params=Params,
        title="Flip hand",
        summary="Mirrors a map at the plane z = 0, and turns the poses of its particles to match.",
        inputs=[
            Input("volume", kind="volume", help="Map of the wrong hand."),
            Input("particles", kind="particles", optional=True, help="Particles with poses, to go on with."),
        ],
        outputs=[
            Output("volume", kind="volume", file="map_flipped.mrc"),
            Output("particles", kind="particles", file="particles.star", optional=True),
        ],
        job="spa_widgets.steps.flip_hand.job:run",
        quick=True,
    )
)
