"""Parameters of the template picker."""

from __future__ import annotations

from spa_widgets.session.params import param
from spa_widgets.session.registry import Input, Output, Step, register
from spa_widgets.steps._pick_params import PickerParams


class Params(PickerParams):
    """What is special to templates, and what all pickers share."""

    angle_step_deg: float | None = param(
        None,
        label="Angular step",
        unit="°",
        help="Step of the in-plane angle at which every template is tried. Empty: what diameter and low-pass need.",
        group="advanced",
        gt=0,
        le=180,
    )
    use_ctf: bool = param(
        True,
        label="Filter templates with the CTF",
        help="Filter the templates with each micrograph's CTF, as its particles are.",
        group="advanced",
    )
    blobs_too: bool = param(
        True,
        label="Blobs as well",
        help="Find with blobs of the particle's size, too, what no template shows: other views, faint or empty discs.",
        group="advanced",
    )
    template_pixel_size_A: float | None = param(
        None,
        label="Pixel size of the templates",
        unit="Å",
        help="Where the header of the templates does not state it. Empty: as the header has it.",
        group="advanced",
        gt=0.05,
        le=50,
    )


STEP = register(
    Step(
        name="pick_templates",
        version=7,
        params=Params,
        title="Template picker",
        inputs=[
            Input("micrographs", kind="micrographs"),
            Input("templates", kind="templates", option="--templates", help="Class averages, particles white (.mrcs)."),
        ],
        outputs=[
            Output("picks", kind="picks", file="picks.star"),
            Output("candidates", kind="picks", file="candidates.star"),
        ],
        job="spa_widgets.steps.pick_templates.job:run",
        summary="Find particles that look like chosen class averages.",
    )
)
