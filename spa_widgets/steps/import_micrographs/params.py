"""Parameters of the import of micrographs."""

from __future__ import annotations

from spa_widgets.session.params import StepParams, param
from spa_widgets.session.registry import Input, Output, Step, register


class Params(StepParams):
    """Optics of the micrographs. Pixel size, voltage and Cs have no default: a wrong one spoils all that follows."""

    pixel_size_A: float = param(
        label="Pixel size", unit="Å", help="Size of a pixel of the micrographs.", gt=0.05, le=20
    )
    voltage_kv: float = param(label="Voltage", unit="kV", help="Acceleration voltage.", ge=50, le=1500)
    cs_mm: float = param(
        label="Spherical aberration", unit="mm", help="Cs of the objective lens, from the microscope's data sheet.",
        ge=0, le=10,
    )  # fmt: skip
    amplitude_contrast: float = param(
        0.1,
        label="Amplitude contrast",
        help="Fraction of amplitude contrast, 0.07 to 0.1 for proteins in ice.",
        ge=0,
        le=1,
    )
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
