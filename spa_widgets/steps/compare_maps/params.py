"""Parameters of the comparison of two maps."""

from __future__ import annotations

from spa_widgets.session.params import PointGroup, StepParams, param
from spa_widgets.session.registry import Input, Output, Step, register


class Params(StepParams):
    """How the maps are brought together."""

    align: bool = param(True, label="Align", help="Turn and move the first map onto the second before comparing.")
    symmetry: PointGroup = param("C1", label="Symmetry", help="Point group of the second map, in its standard setting.")
    check_hand: bool = param(
        True, label="Check the hand", help="Also try the mirror image of the first map; say which of the two fits."
    )


STEP = register(
    Step(
        name="compare_maps",
        version=3,
        params=Params,
        title="Compare maps",
        summary="Bring a map onto another one (either hand) and measure where they agree.",
        inputs=[
            Input("volume", kind="volume", help="Map to judge."),
            Input("reference", kind="volume", help="Map to judge it by, such as the truth of a simulation."),
            Input("mask", kind="mask", optional=True, help="Mask on the reference's grid, put on both maps."),
        ],
        outputs=[
            Output("aligned", kind="volume", file="aligned.mrc"),
            Output("fsc", kind="fsc", file="fsc.csv"),
        ],
        job="spa_widgets.steps.compare_maps.job:run",
    )
)
