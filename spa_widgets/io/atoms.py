"""Atomic models from PDB and mmCIF files (the only importer of gemmi)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gemmi
import numpy as np
from numpy.typing import NDArray

from spa_widgets.errors import UserError
from spa_widgets.io.packed import plain_suffix

_ENDINGS = (".pdb", ".ent", ".cif", ".mmcif")


@dataclass(frozen=True)
class AtomArrays:
    """The atoms of a model as arrays.

    Attributes
    ----------
    positions_A : (n, 3) array
        x, y, z in Å.
    symbols : (n,) array of str
        Element symbols.
    b_factors_A2 : (n,) array
    amplitudes_A, widths_A2 : dict of (5,) arrays
        Electron form factor of each element that occurs: sum of a exp(-b k² / 4).
    """

    positions_A: NDArray[np.float64]
    symbols: NDArray[np.str_]
    b_factors_A2: NDArray[np.float64]
    amplitudes_A: dict[str, NDArray[np.float64]]
    widths_A2: dict[str, NDArray[np.float64]]


def read_atoms(path: str | Path) -> AtomArrays:
    """Read the first model of a PDB or mmCIF file (``.gz`` too), without water and second conformations.

    Raises
    ------
    UserError
        When the file is missing, is no atomic model or holds an element without electron form factor.
    """
    file = Path(path)
    if not file.is_file():
        raise UserError(f"{file} does not exist; expected a PDB or mmCIF file there: check the path.")
    try:
        # by its name where that tells, for the sentence it gives then; else by content
        form = gemmi.CoorFormat.Unknown if plain_suffix(file) in _ENDINGS else gemmi.CoorFormat.Detect
        structure = gemmi.read_structure(str(file), format=form)
    except PermissionError as error:
        raise UserError(f"{file} may not be read: ask its owner for read permission.") from error
    except (OSError, RuntimeError, ValueError, IndexError) as error:
        reason = str(error).replace(f"{file}: ", "")
        raise UserError(f"{file} is not a readable atomic model ({reason}): expected PDB or mmCIF.") from error
    if not len(structure) or not structure[0].count_atom_sites():
        raise UserError(f"{file} holds no atoms; expected an atomic model in PDB or mmCIF format.")
    structure.remove_waters()
    structure.remove_alternative_conformations()
    atoms = [cra.atom for cra in structure[0].all()]
    symbols = np.array([atom.element.name for atom in atoms])
    elements = {name: gemmi.Element(name).c4322 for name in sorted(set(symbols.tolist()))}
    unknown = [name for name, factor in elements.items() if factor is None or not any(factor.a)]
    if unknown:
        raise UserError(f"{file} has atoms of {', '.join(unknown)}, which has no electron form factor: remove them.")
    return AtomArrays(
        positions_A=np.array([atom.pos.tolist() for atom in atoms]),
        symbols=symbols,
        b_factors_A2=np.array([atom.b_iso for atom in atoms]),
        amplitudes_A={name: np.array(factor.a) for name, factor in elements.items()},
        widths_A2={name: np.array(factor.b) for name, factor in elements.items()},
    )
