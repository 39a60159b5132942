"""Optics that the imports of micrographs and movies share."""

from __future__ import annotations

from spa_widgets.session.params import StepParams, param


class OpticsParams(StepParams):
    """Pixel size, voltage and Cs have no default: a wrong one spoils all that follows."""

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
