"""Parameters of the CTF estimation."""

from __future__ import annotations

from pydantic import model_validator

from spa_widgets.session.params import StepParams, param
from spa_widgets.session.registry import Input, Output, Step, register


class Params(StepParams):
    """What to fit, and where to look for it."""

    low_resolution_A: float = param(
        25.0,
        label="Fit from",
        unit="Å",
        gt=5,
        le=200,
        help="Low-resolution end of the fit; coarser than this the background is too steep.",
    )
    high_resolution_A: float = param(
        4.0,
        label="Fit to",
        unit="Å",
        ge=1,
        le=50,
        help="High-resolution end of the fit; clipped to what the pixels can hold.",
    )
    min_defocus_A: float = param(
        1000.0, label="Least defocus", unit="Å", ge=500, le=60000, help="Lower end of the search for the defocus."
    )
    max_defocus_A: float = param(
        40000.0, label="Largest defocus", unit="Å", ge=1000, le=60000, help="Upper end of the search for the defocus."
    )
    fit_astigmatism: bool = param(True, label="Fit astigmatism", help="Let the defocus depend on the direction.")
    max_astigmatism_A: float = param(
        4000.0,
        label="Largest astigmatism",
        unit="Å",
        ge=0,
        le=20000,
        group="advanced",
        help="Largest difference of the two defoci that is searched.",
    )
    fit_patches: bool = param(
        True, label="Fit local defocus", help="Follow tilted or bent ice by a smooth surface over each micrograph."
    )
    tile_A: float = param(
        800.0,
        label="Tile side",
        unit="Å",
        ge=200,
        le=3000,
        group="advanced",
        help="Side of the tiles whose power spectra are taken; larger ones are tried too where the rings need them.",
    )
    fit_phase_shift: bool = param(
        False, label="Fit phase shift", group="advanced", help="Search a phase shift of 0–180° (phase plate)."
    )
    phase_shift_deg: float = param(
        0.0,
        label="Phase shift",
        unit="°",
        ge=0,
        le=180,
        group="advanced",
        help="Phase shift that is taken as known when it is not fitted.",
    )

    @model_validator(mode="after")
    def _ends_in_order(self) -> Params:
        if self.min_defocus_A >= self.max_defocus_A:
            raise ValueError(
                f"the least defocus {self.min_defocus_A:g} Å is not below the largest {self.max_defocus_A:g} Å; "
                "exchange them"
            )
        if self.high_resolution_A >= self.low_resolution_A:
            raise ValueError(
                f"the fit goes from {self.low_resolution_A:g} Å to {self.high_resolution_A:g} Å; exchange the two ends"
            )
        return self


STEP = register(
    Step(
        name="estimate_ctf",
        version=4,
        params=Params,
        title="Patch CTF estimation",
        inputs=[Input("micrographs", kind="micrographs", help="Micrographs to fit.")],
        outputs=[
            Output("micrographs", kind="micrographs", file="micrographs.star"),
            Output("spectra", kind="spectra", file="spectra.npz"),
        ],
        job="spa_widgets.steps.estimate_ctf.job:run",
        summary="Fit defocus, astigmatism and local defocus to the power spectra of each micrograph.",
    )
)
