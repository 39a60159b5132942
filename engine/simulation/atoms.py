"""Atoms as arrays: positions, and which kind of scatterer each one is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.simulation.scattering import FormFactor, displaced_ice, element
from engine.symmetry import point_group

# Hydrogens bound to a heavy atom of protein, and the volume of ice that atom and hydrogens displace (Å³): the
# mean residue (C4.9 N1.35 O1.48 H7.8, 133 Å³) comes out right.
_IMPLICIT_HYDROGENS = {"C": 1.2, "N": 1.2, "O": 0.2}
_DISPLACED_VOLUME_A3 = {"H": 5.0, "C": 20.0, "N": 13.0, "O": 11.0, "P": 24.0, "S": 26.0}
_OTHER_VOLUME_A3 = 20.0
_B_FACTOR_BINS = 6


@dataclass(frozen=True)
class Atoms:
    """Scatterers that differ by position and species only.

    Parameters
    ----------
    positions_A : (n, 3) float32
        x, y, z in Å; the origin is the centre of the particle.
    species : (n,) int64
        Index into `form_factors`.
    form_factors : tuple of FormFactor
        One for each species, B-factor and displaced ice included.
    """

    positions_A: NDArray[np.float32]
    species: NDArray[np.int64]
    form_factors: tuple[FormFactor, ...]

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit together."""
        n = len(self.species)
        if self.positions_A.shape != (n, 3):
            raise ValueError(f"{n} atoms need positions of shape ({n}, 3), got {self.positions_A.shape}")
        if n and not 0 <= self.species.min() <= self.species.max() < len(self.form_factors):
            raise ValueError(f"species must lie in 0..{len(self.form_factors) - 1}")

    @property
    def count(self) -> int:
        """Number of atoms."""
        return len(self.species)

    @property
    def radius_A(self) -> float:
        """Radius of the sphere about the origin that holds all atoms."""
        return float(np.sqrt((self.positions_A.astype(np.float64) ** 2).sum(axis=1).max()))

    def moved(self, rotation: NDArray[np.floating], shift_A: Sequence[float] = (0.0, 0.0, 0.0)) -> Atoms:
        """Rotate each position r to ``rotation @ r``, then add `shift_A` (x, y, z)."""
        positions = self.positions_A @ np.asarray(rotation).T + np.asarray(shift_A)
        return Atoms(positions.astype(np.float32), self.species, self.form_factors)


def join(parts: Sequence[Atoms]) -> Atoms:
    """One set of atoms from several."""
    offsets = np.cumsum([0] + [len(p.form_factors) for p in parts])
    return Atoms(
        np.concatenate([p.positions_A for p in parts]),
        np.concatenate([p.species + o for p, o in zip(parts, offsets, strict=False)]),
        tuple(f for p in parts for f in p.form_factors),
    )


def replicate(atoms: Atoms, operators: NDArray[np.floating]) -> Atoms:
    """Copies of `atoms` under each rotation of `operators` (m, 3, 3)."""
    positions = np.concatenate([atoms.positions_A.astype(np.float64) @ r.T for r in operators])
    species = np.tile(atoms.species, len(operators))
    return Atoms(positions.astype(np.float32), species, atoms.form_factors)


def protein_atom(b_factor_A2: float) -> FormFactor:
    """Mean heavy atom of protein with its hydrogens, less the 17 Å³ of ice that it displaces."""
    mix = element("C").scaled(0.635) + element("N").scaled(0.175) + element("O").scaled(0.19)
    return (mix + element("H").scaled(1.0) + displaced_ice(17.1)).blurred(b_factor_A2)


def atoms_from_arrays(
    positions_A: NDArray[np.floating],
    symbols: Sequence[str] | NDArray[np.str_],
    b_factors_A2: NDArray[np.floating],
    amplitudes_A: Mapping[str, NDArray[np.floating]],
    widths_A2: Mapping[str, NDArray[np.floating]],
    *,
    symmetry: str = "C1",
    expand: bool = False,
) -> Atoms:
    """Scatterers of an atomic model given as arrays.

    B-factors are put into six bins (geometric between the smallest and the largest), so that a model has few
    species; hydrogens that the model lacks are added to the scattering of C, N and O.

    Parameters
    ----------
    positions_A : (n, 3) array
    symbols : sequence of n element symbols
    b_factors_A2 : (n,) array
    amplitudes_A, widths_A2 : mapping of (g,) arrays
        Electron form factor of each element that occurs.
    symmetry : str
        Point group of the model in its own coordinates, axis on z. A C1 model is put with the middle of its
        bounding box at the origin, a Cn one along z only, any other stays where it is.
    expand : bool
        The atoms are one asymmetric unit: make the others.

    Raises
    ------
    ValueError
        If there is no atom, an element has no coefficients, or the point group is unknown.
    """
    positions = np.asarray(positions_A, dtype=np.float64).reshape(-1, 3)
    names = np.asarray(symbols)
    if len(positions) == 0 or len(names) != len(positions):
        raise ValueError(f"expected positions and symbols of the same atoms, got {len(positions)} and {len(names)}")
    if missing := sorted(set(names.tolist()) - set(amplitudes_A)):
        raise ValueError(f"no form factor for {', '.join(missing)}: give coefficients of every element")
    operators = point_group(symmetry)
    middle = 0.5 * (positions.min(axis=0) + positions.max(axis=0))
    if len(operators) > 1:  # a symmetry axis stays on z
        middle *= [0.0, 0.0, float(symmetry.upper().startswith("C"))]
    positions = positions - middle
    b = np.clip(np.asarray(b_factors_A2, dtype=np.float64), 1.0, None)
    edges = np.geomspace(b.min(), b.max() * (1.0 + 1e-9), _B_FACTOR_BINS + 1)
    bins = np.clip(np.searchsorted(edges, b, side="right") - 1, 0, _B_FACTOR_BINS - 1)
    has_hydrogens = bool(np.isin(names, ["H", "D"]).any())
    species = np.zeros(len(names), dtype=np.int64)
    form_factors: list[FormFactor] = []
    for symbol, index in sorted(set(zip(names.tolist(), bins.tolist(), strict=True))):
        mine = (names == symbol) & (bins == index)
        factor = FormFactor(np.asarray(amplitudes_A[symbol], float), np.asarray(widths_A2[symbol], float))
        if not has_hydrogens and symbol in _IMPLICIT_HYDROGENS:
            factor = factor + element("H").scaled(_IMPLICIT_HYDROGENS[symbol])
        factor = factor + displaced_ice(_volume_A3(symbol, has_hydrogens))
        species[mine] = len(form_factors)
        form_factors.append(factor.blurred(float(b[mine].mean())))
    atoms = Atoms(positions.astype(np.float32), species, tuple(form_factors))
    return replicate(atoms, operators) if expand else atoms


def _volume_A3(symbol: str, has_hydrogens: bool) -> float:
    """Volume of ice that an atom displaces, without its hydrogens where these are atoms of their own."""
    volume = _DISPLACED_VOLUME_A3.get(symbol, _OTHER_VOLUME_A3)
    if has_hydrogens:
        volume -= _IMPLICIT_HYDROGENS.get(symbol, 0.0) * _DISPLACED_VOLUME_A3["H"]
    return volume
