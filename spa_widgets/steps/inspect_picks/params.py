"""Parameters of the inspection of picks."""

from __future__ import annotations

from spa_widgets.session.params import param
from spa_widgets.session.registry import Input, Output, Step, register
from spa_widgets.steps._pick_params import ThresholdParams


class Params(ThresholdParams):
    """Bounds on the scores, and which picks they apply to."""

    use_candidates: bool = param(
        True,
        label="Start from all candidates",
        help="Apply the thresholds to all candidates that the picker kept beside its picks, where there are any.",
        group="advanced",
    )


STEP = register(
    Step(
        name="inspect_picks",
        version=3,
        params=Params,
        title="Inspect picks",
        inputs=[Input("picks", kind="picks")],
        outputs=[Output("picks", kind="picks", file="picks.star")],
        job="spa_widgets.steps.inspect_picks.job:run",
        widget="spa_widgets.steps.inspect_picks.widget:PickInspector",
        quick=True,
        summary="Keep the picks whose scores lie within thresholds; nothing is correlated again.",
    )
)
