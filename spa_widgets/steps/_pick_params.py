"""Parameters that the pickers and the inspector share."""

from __future__ import annotations

from spa_widgets.session.params import StepParams, param

_NONE = "Empty: chosen from the data when automatic thresholds are on, else no bound."


class ThresholdParams(StepParams):
    """Bounds on the two scores of a pick."""

    min_ncc: float | None = param(
        None,
        label="Lowest NCC",
        help=f"Picks whose normalised cross-correlation is lower are left out. {_NONE}",
        ge=-1,
        le=1,
    )
    max_ncc: float | None = param(
        None,
        label="Highest NCC",
        help="Picks whose normalised cross-correlation is higher are left out. Empty: no bound.",
        group="advanced",
        ge=-1,
        le=1,
    )
    min_power: float | None = param(
        None,
        label="Lowest power",
        help="Picks whose local power, in units of that of empty ice, is lower are left out. Empty: no bound.",
        ge=0,
    )
    max_power: float | None = param(
        None,
        label="Highest power",
        help=f"Picks whose local power is higher (ice crystals, carbon) are left out. {_NONE}",
        ge=0,
    )
    automatic_thresholds: bool = param(
        True,
        label="Automatic thresholds",
        help="Choose the lowest NCC and the highest power, where they are empty, from the scores of all micrographs.",
    )
    calibrate_to_defocus: bool = param(
        False,
        label="Calibrate NCC to defocus",
        help="Apply the thresholds to the NCC after taking away its trend with defocus.",
        group="advanced",
    )


class PickerParams(ThresholdParams):
    """What the template picker and the blob picker share."""

    diameter_A: float = param(
        160.0, label="Particle diameter", unit="Å", help="Diameter of a circle that holds the particle.", ge=20, le=5000
    )
    low_pass_A: float = param(
        20.0,
        label="Low-pass",
        unit="Å",
        help="Resolution to which micrographs and templates are compared.",
        group="advanced",
        ge=4,
        le=200,
    )
    high_pass_A: float = param(
        500.0,
        label="High-pass",
        unit="Å",
        help="Coarser variations of the background are removed.",
        group="advanced",
        ge=100,
        le=10000,
    )
    min_distance_A: float | None = param(
        None,
        label="Smallest distance",
        unit="Å",
        help="Of two picks that are nearer, the one with the lower NCC is left out. Empty: 0.6 of the diameter.",
        ge=1,
        le=5000,
    )
    edge_A: float | None = param(
        None,
        label="Edge",
        unit="Å",
        help="Picks nearer to the edge of the micrograph are left out. Empty: half of the diameter.",
        group="advanced",
        ge=0,
        le=5000,
    )
    max_candidates: int = param(
        4000,
        label="Most candidates",
        help="Largest number of candidates kept on one micrograph.",
        group="advanced",
        ge=1,
        le=100000,
    )
