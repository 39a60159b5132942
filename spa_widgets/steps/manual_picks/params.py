"""Parameters of picking by hand: the picks themselves."""

from __future__ import annotations

from spa_widgets.session.params import StepParams, param
from spa_widgets.session.registry import Input, Output, Step, register


class Params(StepParams):
    """Positions of particles."""

    picks: dict[str, list[tuple[float, float]]] = param(
        label="Picks",
        help="Name of each micrograph (with or without folder and ending) and the x, y of its particles in pixels.",
    )


STEP = register(
    Step(
        name="manual_picks",
        version=1,
        params=Params,
        title="Manual picker",
        inputs=[Input("micrographs", kind="micrographs")],
        outputs=[Output("picks", kind="picks", file="picks.star")],
        job="spa_widgets.steps.manual_picks.job:run",
        quick=True,
        widget="spa_widgets.steps.manual_picks.widget:ManualPicker",
        summary="Keep positions that a person picked.",
    )
)
