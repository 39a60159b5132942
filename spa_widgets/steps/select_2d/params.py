"""Parameters of the choice of 2D classes."""

from __future__ import annotations

from pydantic import model_validator

from spa_widgets.session.params import StepParams, param
from spa_widgets.session.registry import Input, Output, Step, register


class Params(StepParams):
    """Which classes to keep."""

    classes: list[int] = param(
        [], label="Classes", help="Numbers of the good classes, from 1; a click in the gallery adds one."
    )
    auto: bool = param(
        False,
        label="Choose automatically",
        help="Keep the classes whose detail explains particles that are not in their average.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Params:
        if self.auto == bool(self.classes):
            raise ValueError("give either class numbers or auto, not both and not neither")
        if any(number < 1 for number in self.classes):
            raise ValueError("class numbers count from 1")
        return self


STEP = register(
    Step(
        name="select_2d",
        version=8,
        params=Params,
        title="Select 2D classes",
        summary="Keeps the particles and averages of good 2D classes.",
        inputs=[Input("classes", kind="classes", help="A 2D classification: its folder or class averages.")],
        outputs=[
            Output("particles", kind="particles", file="particles.star"),
            Output("templates", kind="templates", file="templates.mrcs"),
        ],
        job="spa_widgets.steps.select_2d.job:run",
        quick=True,
        widget="spa_widgets.steps.select_2d.widget:ClassGallery",
    )
)
