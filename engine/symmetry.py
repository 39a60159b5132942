"""Point groups C, D, T, O and I in RELION's settings, axes through the centre.

Cn: n-fold on z. Dn: n-fold on z, 2-fold on x. T: 3-fold on z. O: 4-fold on z. I1–I4: the four settings of the
icosahedral group (I is I2, as in RELION); see Heymann, Chagoyen & Belnap, J Struct Biol 151, 196 (2005).
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.geometry import axis_rotation

_GOLDEN = (1 + np.sqrt(5)) / 2

# generators: (fold, axis) in x, y, z
_PLATONIC: dict[str, tuple[tuple[int, tuple[float, float, float]], ...]] = {
    "T": ((3, (0, 0, 1)), (2, (0, np.sqrt(2 / 3), np.sqrt(1 / 3)))),
    "O": ((3, (1, 1, 1)), (4, (0, 0, 1))),
    "I1": ((2, (1, 0, 0)), (5, (_GOLDEN, 0, -1))),
    "I2": ((2, (0, 0, 1)), (5, (1, 0, _GOLDEN))),
    "I3": ((2, (-1, 0, _GOLDEN)), (5, (0, 0, 1))),
    "I4": ((2, (1, 0, _GOLDEN)), (5, (2, 0, 1))),
}
_SUPPORTED = "C1, C2 …, D1, D2 …, T, O, I, I1, I2, I3 or I4"


def parse_symmetry(name: str) -> tuple[str, int]:
    """Split a point group's name into its family and order.

    Parameters
    ----------
    name : str
        For example ``"C8"``, ``"d2"``, ``"O"``, ``"I2"``.

    Returns
    -------
    (str, int)
        Family (``"C"``, ``"D"``, ``"T"``, ``"O"``, ``"I1"`` … ``"I4"``) and the order of the main axis (0 for T, O, I).

    Raises
    ------
    ValueError
        When there is no such point group.
    """
    text = str(name).strip().upper()
    cyclic = re.fullmatch(r"([CD])([1-9]\d{0,2})", text)
    if cyclic:
        return cyclic.group(1), int(cyclic.group(2))
    if text in ("T", "O"):
        return text, 0
    if re.fullmatch(r"I[1-4]?", text):
        return (text if len(text) == 2 else "I2"), 0
    raise ValueError(f"Symmetry {name!r} is not a point group; expected {_SUPPORTED}.")


@lru_cache(maxsize=32)
def point_group(name: str) -> NDArray[np.float64]:
    """Return the rotations of a point group: ``(m, 3, 3)``, the identity first (read-only).

    A map ``V`` has the symmetry when ``V(R r) = V(r)`` for each of them.

    Raises
    ------
    ValueError
        When there is no such point group.
    """
    family, order = parse_symmetry(name)
    if family in ("C", "D"):
        turns = [axis_rotation((0, 0, 1), 360 * i / order) for i in range(order)]
        if family == "D":
            flip = axis_rotation((1, 0, 0), 180)
            turns += [turn @ flip for turn in turns]
        group = np.stack(turns)
    else:
        group = _closure([axis_rotation(axis, 360 / fold) for fold, axis in _PLATONIC[family]])
    group.setflags(write=False)
    return group


def _closure(generators: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Multiply generators until no new rotation appears."""
    group = [np.eye(3)]
    for element in group:  # grows while it is walked
        for generator in generators:
            product = generator @ element
            if all(np.abs(product - known).max() > 1e-6 for known in group):
                group.append(product)
    return np.stack(group)


def in_asymmetric_unit(directions: ArrayLike, name: str) -> NDArray[np.bool_]:
    """Tell which unit directions ``(m, 3)`` lie in one asymmetric unit of the sphere.

    The unit is the Dirichlet cell of a generic direction: the points nearer to it than to its symmetry mates.
    """
    group = point_group(name)
    d = np.asarray(directions, np.float64)
    if len(group) == 1:
        return np.ones(len(d), bool)
    seed = np.array([0.9511, 0.2113, 0.2253])
    seed /= np.linalg.norm(seed)
    closeness = d @ (group @ seed).T
    return closeness[:, 0] >= closeness.max(axis=1) - 1e-9
