"""Parameters of motion correction."""

from __future__ import annotations

from typing import Literal

from spa_widgets.session.params import param
from spa_widgets.session.registry import Input, Output, Step, register
from spa_widgets.steps._optics_params import OpticsParams


class Params(OpticsParams):
    """Optics of the movies, and how their frames are brought together. A wrong pixel size, voltage or Cs spoils all."""

    pixel_size_A: float = param(
        label="Pixel size", unit="Å", help="Size of a pixel of the movies, before binning.", gt=0.05, le=20
    )
    dose_e_per_A2: float = param(
        0.0,
        label="Total dose",
        unit="e/Å²",
        help="Electrons per Å² of the whole movie; 0 if unknown: frames are then not weighted by dose.",
        ge=0,
        le=10000,
    )
    binning: float = param(
        1.0,
        label="Binning",
        help="Pixels of the micrograph over those of the movie; 2 for super-resolution.",
        ge=1,
        le=8,
    )
    patches: int = param(
        5,
        label="Patches",
        help="Patches a side whose own motion is followed. 1: the frame as a whole only.",
        ge=1,
        le=12,
    )
    dose_weighting: bool = param(
        True, label="Dose weighting", help="Filter each frame by the radiation damage that it shows."
    )
    pre_exposure_e_per_A2: float = param(
        0.0, label="Dose before", unit="e/Å²", help="Electrons per Å² before the first frame.", group="advanced", ge=0,
        le=10000,
    )  # fmt: skip
    b_factor_A2: float = param(
        500.0, label="Damping", unit="Å²", help="B-factor of the first correlations: more looks at coarser detail.",
        group="advanced", ge=0, le=10000,
    )  # fmt: skip
    resolution_A: float = param(
        5.0, label="Finest detail", unit="Å", help="Finest detail that frames are compared at.", group="advanced",
        ge=2, le=40,
    )  # fmt: skip
    gain_quarter_turns: Literal["0", "1", "2", "3"] = param(
        "0", label="Turn the gain", help="Turn the gain reference so many times by 90° (RELION's gain_rot).",
        group="advanced",
    )  # fmt: skip
    gain_flip: Literal["none", "up_down", "left_right"] = param(
        "none", label="Flip the gain", help="Then turn it over (RELION's gain_flip 0, 1 and 2).", group="advanced"
    )
    gain_use: Literal["auto", "multiply", "divide"] = param(
        "auto",
        label="Use of the gain",
        help="Frames are multiplied or divided by it. auto: EER movies are divided by any but a .gain file.",
        group="advanced",
    )
    eer_fractions: int = param(
        40, label="EER fractions", help="Images into which the frames of an EER movie are added up.", group="advanced",
        ge=2, le=1000,
    )  # fmt: skip
    eer_upsampling: Literal["1", "2"] = param(
        "1", label="EER upsampling", help="1: the detector's pixels; 2: half of them.", group="advanced"
    )
    float16: bool = param(
        False, label="Half precision", help="Write 16-bit images where their values allow it.", group="advanced"
    )


STEP = register(
    Step(
        name="correct_motion",
        version=2,
        params=Params,
        title="Motion correction",
        inputs=[
            Input("movies", kind="files", help="Movies (.mrc, .tif, .eer), or patterns such as 'movies/*.tif'."),
            Input("gain", kind="gain", optional=True, help="Gain reference (.mrc, .tif, .gain)."),
        ],
        outputs=[
            Output("micrographs", kind="micrographs", file="micrographs.star"),
            Output("motion", kind="motion", file="motion.npz"),
        ],
        job="spa_widgets.steps.correct_motion.job:run",
        summary="Bring the frames of movies together, weight them by dose and add them up to micrographs.",
    )
)
