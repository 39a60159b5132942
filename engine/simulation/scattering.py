"""Electron scattering of atoms as sums of Gaussians.

An atom's scattering amplitude is written as ``f(k) = sum_i a_i exp(-b_i k^2 / 4)`` with ``k`` in 1/Å (the
spatial frequency, so ``k = 2 sin(theta) / lambda``), ``a`` in Å and ``b`` in Å².  Thermal motion adds the
B-factor to every ``b``; the ice that the atom pushes away is one more Gaussian of negative ``a``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.optics import electron_wavelength_A

VOLT_A2_PER_A = 47.87801
"""h² / (2 pi m_e e): the integral of an atom's potential over space is this times its amplitude at k = 0 (V Å³)."""

WATER_VOLUME_A3 = 32.2
"""Volume of one molecule in vitreous ice of 0.93 g/cm³."""

# International Tables for Crystallography C, table 4.3.2.2 (Peng et al., Acta Cryst. A52, 257-276, 1996).
_PENG: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "H": ((0.0349, 0.1201, 0.1970, 0.0573, 0.1195), (0.5347, 3.5867, 12.3471, 18.9525, 38.6269)),
    "C": ((0.0893, 0.2563, 0.7570, 1.0487, 0.3575), (0.2465, 1.7100, 6.4094, 18.6113, 50.2523)),
    "N": ((0.1022, 0.3219, 0.7982, 0.8197, 0.1715), (0.2451, 1.7481, 6.1925, 17.3894, 48.1431)),
    "O": ((0.0974, 0.2921, 0.6910, 0.6990, 0.2039), (0.2067, 1.3815, 4.6943, 12.7105, 32.4726)),
    "P": ((0.2548, 0.6106, 1.4541, 2.3204, 0.8477), (0.2908, 1.8740, 8.5176, 24.3434, 63.2996)),
}


@dataclass(frozen=True)
class FormFactor:
    """A sum of Gaussians in reciprocal space.

    Parameters
    ----------
    amplitudes_A : (g,) array
        Amplitudes in Å.
    widths_A2 : (g,) array
        Widths ``b`` in Å².
    """

    amplitudes_A: NDArray[np.float64]
    widths_A2: NDArray[np.float64]

    def at(self, k2_per_A2: NDArray[np.floating]) -> NDArray[np.float64]:
        """Amplitude in Å at the squared frequencies `k2_per_A2` (any shape)."""
        out = np.zeros(np.shape(k2_per_A2))
        for a, b in zip(self.amplitudes_A, self.widths_A2, strict=True):
            out += a * np.exp(-0.25 * b * k2_per_A2)
        return out

    def blurred(self, b_factor_A2: float) -> FormFactor:
        """Return the same scatterer with a (further) B-factor."""
        return FormFactor(self.amplitudes_A, self.widths_A2 + b_factor_A2)

    def scaled(self, factor: float) -> FormFactor:
        """Return `factor` such scatterers in one place."""
        return FormFactor(self.amplitudes_A * factor, self.widths_A2)

    def __add__(self, other: FormFactor) -> FormFactor:
        """Two scatterers in one place."""
        return FormFactor(
            np.concatenate([self.amplitudes_A, other.amplitudes_A]),
            np.concatenate([self.widths_A2, other.widths_A2]),
        )


def element(symbol: str) -> FormFactor:
    """Form factor of one of the elements that the built-in models use (H, C, N, O, P).

    Raises
    ------
    ValueError
        If no form factor of it is built in.
    """
    if symbol not in _PENG:
        raise ValueError(f"no built-in form factor for element {symbol!r}; built in are {', '.join(_PENG)}")
    a, b = _PENG[symbol]
    return FormFactor(np.array(a), np.array(b))


def ice_potential_V() -> float:
    """Mean inner potential of vitreous ice, about 4.5 V."""
    water = element("O") + element("H").scaled(2.0)
    return float(VOLT_A2_PER_A * water.amplitudes_A.sum() / WATER_VOLUME_A3)


def displaced_ice(volume_A3: float) -> FormFactor:
    """Gaussian hole in the ice, of a given volume (Fraser et al., J Appl Cryst 11, 693-694, 1978)."""
    amplitude = -volume_A3 * ice_potential_V() / VOLT_A2_PER_A
    return FormFactor(np.array([amplitude]), np.array([4.0 * np.pi * volume_A3 ** (2.0 / 3.0)]))


def interaction_constant_rad_per_VA(voltage_kv: float) -> float:
    """Phase shift of the electron wave for 1 V Å of projected potential (6.53e-4 rad at 300 kV)."""
    energy_V, rest_V = voltage_kv * 1e3, 510998.95
    ratio = (rest_V + energy_V) / (2.0 * rest_V + energy_V)
    return float(2.0 * np.pi / (electron_wavelength_A(voltage_kv) * energy_V) * ratio)
