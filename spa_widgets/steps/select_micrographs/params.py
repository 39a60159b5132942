"""Parameters of the choice of micrographs."""

from __future__ import annotations

from pydantic import model_validator

from spa_widgets.session.params import StepParams, param
from spa_widgets.session.registry import Input, Output, Step, register


class Params(StepParams):
    """Limits on what the CTF fit found, and micrographs that a person decided on."""

    worst_resolution_A: float | None = param(
        None,
        label="Worst fit",
        unit="Å",
        help="Micrographs whose CTF fit ends at a coarser resolution are left out. Empty: no limit.",
        gt=0,
        le=200,
    )
    min_defocus_A: float | None = param(
        None, label="Least defocus", unit="Å", help="Micrographs nearer to focus are left out. Empty: no limit.", ge=0
    )
    max_defocus_A: float | None = param(
        None,
        label="Largest defocus",
        unit="Å",
        help="Micrographs further from focus are left out. Empty: no limit.",
        gt=0,
    )
    max_astigmatism_A: float | None = param(
        None,
        label="Largest astigmatism",
        unit="Å",
        help="Micrographs whose two defoci differ by more are left out. Empty: no limit.",
        ge=0,
    )
    min_confidence: float | None = param(
        None,
        label="Least confidence",
        help="Micrographs whose fit is less sure of itself, 0 to 1, are left out. Empty: no limit.",
        ge=0,
        le=1,
    )
    min_score: float | None = param(
        None,
        label="Least score",
        help="Micrographs whose fit correlates less with the spectrum are left out. Empty: no limit.",
        group="advanced",
        ge=-1,
        le=1,
    )
    max_ice: float | None = param(
        None,
        label="Thickest ice",
        help="Micrographs with more power in the ring of water are left out. Empty: no limit.",
        ge=0,
    )
    accept: list[str] = param(
        [], label="Accept", help="Names of micrographs that are kept whatever the limits say."
    )  # fmt: skip
    reject: list[str] = param([], label="Reject", help="Names of micrographs that are left out.")

    @model_validator(mode="after")
    def _go_together(self) -> Params:
        both = sorted(set(self.accept) & set(self.reject))
        if both:
            raise ValueError(f"{both[0]} is both accepted and rejected; name it once")
        if (
            self.min_defocus_A is not None
            and self.max_defocus_A is not None
            and self.min_defocus_A > self.max_defocus_A
        ):
            raise ValueError(
                f"the least defocus {self.min_defocus_A:g} Å is above the largest {self.max_defocus_A:g} Å; "
                "exchange them"
            )
        return self


STEP = register(
    Step(
        name="select_micrographs",
        version=1,
        params=Params,
        title="Select micrographs",
        inputs=[Input("micrographs", kind="micrographs", help="Micrographs with their CTF.")],
        outputs=[
            Output("micrographs", kind="micrographs", file="micrographs.star"),
            Output("rejected", kind="table", file="rejected.csv"),
        ],
        job="spa_widgets.steps.select_micrographs.job:run",
        widget="spa_widgets.steps.estimate_ctf.widget:CTFInspector",
        quick=True,
        summary="Keep the micrographs whose CTF fit is good enough, and tell why the others are left out.",
    )
)
