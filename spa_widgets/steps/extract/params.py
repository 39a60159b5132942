"""Parameters of the extraction."""

from __future__ import annotations

from spa_widgets.session.params import SeededParams, param
from spa_widgets.session.registry import Input, Output, Step, register


class Params(SeededParams):
    """Boxes, grey values and half sets. The seed draws the half sets."""

    box_px: int | None = param(
        None,
        label="Box",
        unit="px",
        help="Side of the window cut from the micrograph; odd becomes the next even. Empty: 1.4 particle diameters.",
        ge=8,
        le=4096,
    )
    crop_px: int | None = param(
        None,
        label="Fourier crop",
        unit="px",
        help="Side of the images after the Fourier crop, even as the box; fewer pixels are faster. Empty: no crop.",
        ge=8,
        le=4096,
    )
    diameter_A: float = param(
        160.0, label="Particle diameter", unit="Å", help="What lies outside is background.", ge=20, le=5000
    )
    min_distance_A: float = param(
        20.0,
        label="Duplicates",
        unit="Å",
        help="Of two picks that are nearer, the better one is kept. 0: keep all.",
        ge=0,
        le=5000,
    )
    invert: bool = param(True, label="Invert contrast", help="Make the protein, dark in micrographs, white.")
    normalise: bool = param(
        True, label="Normalise", help="Bring the background to mean 0 and standard deviation 1.", group="advanced"
    )
    ramp: bool = param(True, label="Remove ramp", help="Subtract a plane fitted to the background.", group="advanced")
    outlier_sigma: float | None = param(
        10.0,
        label="Outliers",
        help="Pixels further than this many standard deviations from the mean are replaced by it. Empty: keep them.",
        group="advanced",
        ge=3,
        le=1000,
    )
    pad: bool = param(
        False,
        label="Pad at the edge",
        help="Keep particles whose box crosses the edge, filled by reflection, instead of leaving them out.",
        group="advanced",
    )
    float16: bool = param(
        False, label="Half precision", help="Write 16-bit images: half the disk space.", group="advanced"
    )


STEP = register(
    Step(
        name="extract",
        version=2,
        params=Params,
        title="Extract particles",
        inputs=[Input("micrographs", kind="micrographs"), Input("picks", kind="picks")],
        outputs=[
            Output("particles", kind="particles", file="particles.star"),
            Output("images", kind="images", file="particles.mrcs"),
        ],
        job="spa_widgets.steps.extract.job:run",
        summary="Cut out, normalise and Fourier-crop the picked particles and draw the half sets.",
    )
)
