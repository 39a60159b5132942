"""Parameters of the step that simulates micrographs."""

from __future__ import annotations

from typing import Literal

from spa_widgets.session.params import PointGroup, SeededParams, param
from spa_widgets.session.registry import Input, Output, Step, register


class Params(SeededParams):
    """What is simulated; what is left empty is as in the preset."""

    preset: Literal["small", "workshop"] = param(
        "small",
        label="Preset",
        help="small: 12 micrographs of 1024² px for a laptop; workshop: 50 of 3710 × 3838 px, about 27,000 particles.",
    )
    micrographs: int | None = param(
        None, label="Micrographs", help="Number of micrographs; empty: as in the preset.", ge=1, le=100_000
    )
    objects_per_micrograph: int | None = param(
        None, label="Objects per micrograph", help="Mean number of objects; empty: as in the preset.", ge=1, le=5000
    )
    junk_percent: float = param(
        30.0,
        label="Junk",
        unit="%",
        help="Share of the objects that are no particles: two thirds empty nanodiscs, the rest aggregates and ice.",
        ge=0,
        le=90,
    )
    dose_e_per_A2: float = param(
        35.0, label="Dose", unit="e/Å²", help="Electrons that reach each Å² of the specimen.", gt=0, le=1000
    )
    defocus_min_A: float = param(
        8000.0, label="Least defocus", unit="Å", help="Smallest mean defocus of a micrograph.", ge=1000, le=100_000
    )
    defocus_max_A: float = param(
        22000.0, label="Largest defocus", unit="Å", help="Largest mean defocus of a micrograph.", ge=1000, le=100_000
    )
    contrast: float = param(
        0.62,
        label="Contrast",
        help="Share of the ideal contrast that is left: less makes noisier particles.",
        group="advanced",
        gt=0,
        le=2,
    )
    size_px: int | None = param(
        None,
        label="Micrograph side",
        unit="px",
        help="Side of square micrographs; empty: as in the preset.",
        group="advanced",
        ge=256,
        le=16384,
    )
    symmetry: PointGroup = param(
        "C1",
        label="Symmetry of the model",
        help="Point group of the atomic model about z; one with symmetry is not moved off its axis.",
        group="advanced",
    )
    expand: bool = param(
        False,
        label="Build from one protomer",
        help="The model holds one protomer of the symmetry: make the others.",
        group="advanced",
    )


STEP = register(
    Step(
        name="simulate",
        version=1,
        params=Params,
        title="Simulate micrographs",
        summary="Makes micrographs with known truth, of the built-in channel or of an atomic model.",
        inputs=[
            Input(
                "model", kind="model", optional=True, help="Atomic model (PDB or mmCIF); without: the built-in channel."
            ),
        ],
        outputs=[
            Output("micrographs", kind="micrographs", file="micrographs.star"),
            Output("truth_picks", kind="picks", file="truth/particles.star"),
            Output("truth_micrographs", kind="micrographs", file="truth/micrographs.star"),
            Output("truth_map", kind="volume", file="truth/map.mrc"),
        ],
        job="spa_widgets.steps.simulate.job:run",
    )
)
