"""What the microscope did to an image: optics and defocus, as small frozen records."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Number = float | NDArray[np.floating]

# CODATA 2018, the constants of the relativistic electron wavelength
_PLANCK_J_S = 6.62607015e-34
_ELECTRON_MASS_KG = 9.1093837015e-31
_ELEMENTARY_CHARGE_C = 1.602176634e-19
_LIGHT_SPEED_M_PER_S = 299792458.0


def electron_wavelength_A(voltage_kv: ArrayLike) -> Any:
    """Return the relativistic electron wavelength in Å for an acceleration voltage in kV."""
    energy = np.asarray(voltage_kv, np.float64) * 1e3 * _ELEMENTARY_CHARGE_C
    rest = _ELECTRON_MASS_KG * _LIGHT_SPEED_M_PER_S**2
    momentum = np.sqrt(2 * _ELECTRON_MASS_KG * energy * (1 + energy / (2 * rest)))
    return _PLANCK_J_S / momentum * 1e10


def _take(value: Number, indices: Any) -> Number:
    return value[indices] if isinstance(value, np.ndarray) and value.ndim else value


@dataclass(frozen=True)
class Optics:
    """Constants of the microscope; each is a number, or an array with one entry an image.

    Attributes
    ----------
    voltage_kv : float or array
        Acceleration voltage in kV.
    cs_mm : float or array
        Spherical aberration in mm.
    amplitude_contrast : float or array
        Fraction of amplitude contrast, 0 to 1.
    """

    voltage_kv: Number
    cs_mm: Number
    amplitude_contrast: Number

    @property
    def wavelength_A(self) -> Any:
        """Electron wavelength in Å."""
        return electron_wavelength_A(self.voltage_kv)

    def take(self, indices: Any) -> Optics:
        """Return the optics of some of the images."""
        return Optics(
            _take(self.voltage_kv, indices),
            _take(self.cs_mm, indices),
            _take(self.amplitude_contrast, indices),
        )


@dataclass(frozen=True)
class Defocus:
    """Defocus, underfocus positive; each field is a number, or an array with one entry an image.

    Attributes
    ----------
    u_A, v_A : float or array
        Defocus in Å along the axis at ``angle_deg`` and across it.
    angle_deg : float or array
        Angle in degrees from the x axis towards larger y (rows) of the axis of ``u_A``.
    phase_shift_deg : float or array
        Additional phase shift (phase plate) in degrees.
    """

    u_A: Number
    v_A: Number
    angle_deg: Number
    phase_shift_deg: Number = 0.0

    @property
    def mean_A(self) -> Number:
        """Mean defocus ``(u + v) / 2`` in Å."""
        return (self.u_A + self.v_A) / 2

    @property
    def astigmatism_A(self) -> Number:
        """Astigmatism ``u - v`` in Å."""
        return self.u_A - self.v_A

    def shifted(self, offsets_A: Number) -> Defocus:
        """Return the defocus with an offset in Å on both axes."""
        return replace(self, u_A=self.u_A + offsets_A, v_A=self.v_A + offsets_A)

    def take(self, indices: Any) -> Defocus:
        """Return the defocus of some of the images."""
        return Defocus(
            _take(self.u_A, indices),
            _take(self.v_A, indices),
            _take(self.angle_deg, indices),
            _take(self.phase_shift_deg, indices),
        )
