"""Parameters of the blob picker."""

from __future__ import annotations

from spa_widgets.session.params import param
from spa_widgets.session.registry import Input, Output, Step, register
from spa_widgets.steps._pick_params import PickerParams


class Params(PickerParams):
    """Sizes of the blobs, and what all pickers share."""

    min_diameter_A: float | None = param(
        None,
        label="Smallest blob",
        unit="Å",
        help="Diameter of the smallest blob. Empty: 0.6 of the particle diameter.",
        ge=10,
        le=5000,
    )
    max_diameter_A: float | None = param(
        None,
        label="Largest blob",
        unit="Å",
        help="Diameter of the largest blob. Empty: 1.1 particle diameters.",
        ge=10,
        le=5000,
    )
    ring: bool = param(False, label="Rings as well", help="Look for rings as well as for blobs.", group="advanced")
    use_ctf: bool = param(
        True,
        label="Filter blobs with the CTF",
        help="Filter the blobs with each micrograph's CTF, as its particles are.",
        group="advanced",
    )


STEP = register(
    Step(
        name="pick_blobs",
        version=7,
        params=Params,
        title="Blob picker",
        inputs=[Input("micrographs", kind="micrographs")],
        outputs=[
            Output("picks", kind="picks", file="picks.star"),
            Output("candidates", kind="picks", file="candidates.star"),
        ],
        job="spa_widgets.steps.pick_blobs.job:run",
        summary="Find particles of a given diameter without templates.",
    )
)
