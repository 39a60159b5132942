"""Parameters of the step that sharpens a map."""

from __future__ import annotations

from spa_widgets.session.params import StepParams, param
from spa_widgets.session.registry import Input, Output, Step, register


class Params(StepParams):
    """How the map is sharpened."""

    b_factor_A2: float | None = param(
        None,
        label="B-factor",
        unit="Å²",
        help="Negative sharpens, positive blurs; empty: from the fall of the map's own amplitudes (Guinier plot), less "
        "that of a protein and the fit's error; none where the map is coarser than 8 Å.",
        ge=-2000,
        le=2000,
    )
    resolution_A: float | None = param(
        None,
        label="Resolution",
        unit="Å",
        help="Detail beyond it is taken out; empty: where the corrected FSC curve drops below 0.143.",
        gt=0,
        le=200,
    )
    low_resolution_A: float = param(
        10.0,
        label="Guinier fit from",
        unit="Å",
        help="The fit runs from here to the resolution of the map.",
        group="advanced",
        gt=0,
        le=200,
    )
    weight_by_fsc: bool = param(
        True,
        label="Weight by the FSC",
        help="Give each shell the weight sqrt(2 FSC / (1 + FSC)), if FSC curves are given.",
        group="advanced",
    )


STEP = register(
    Step(
        name="sharpen",
        version=2,
        params=Params,
        title="Sharpen",
        summary="Sharpens a map by a B-factor, given or fitted, with the FSC's weights and a low-pass filter.",
        inputs=[
            Input("volume", kind="volume", help="Map to sharpen."),
            Input("fsc", kind="fsc", optional=True, help="FSC curves (fsc.csv) of its half maps."),
            Input("mask", kind="mask", optional=True, help="Where the map's amplitudes are measured."),
        ],
        outputs=[
            Output("volume", kind="volume", file="map_sharp.mrc"),
            Output("guinier", kind="table", file="guinier.csv"),
        ],
        job="spa_widgets.steps.sharpen.job:run",
        quick=True,
    )
)
