"""Parameters of the import of micrographs."""

from __future__ import annotations

from spa_widgets.session.params import param
from spa_widgets.session.registry import Input, Output, Step, register
from spa_widgets.steps._optics_params import OpticsParams


class Params(OpticsParams):
    """Optics of the micrographs. Pixel size, voltage and Cs have no default: a wrong one spoils all that follows."""

    dose_e_per_A2: float = param(
        0.0,
        label="Total dose",
        unit="e/Å²",
        help="Electrons per Å² of the whole exposure; 0 if unknown.",
        ge=0,
        le=10000,
    )


STEP = register(
    Step(
        name="import_micrographs",
        version=1,
        params=Params,
        title="Import micrographs",
        inputs=[Input("files", kind="files", help="Micrographs (.mrc), or patterns such as 'data/*.mrc'.")],
        outputs=[Output("micrographs", kind="micrographs", file="micrographs.star")],
        job="spa_widgets.steps.import_micrographs.job:run",
        quick=True,
        summary="Take in motion-corrected micrographs, check every file and state the optics.",
    )
)
