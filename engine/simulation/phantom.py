"""A pseudo-atomic channel of eight protomers in a nanodisc, made of nothing but the numbers below.

It has the build of an innexin hemichannel (Burendei et al., Sci Adv 6, eaax3157, 2020) without being one: a ring
of 8 x 4 transmembrane helices about a pore on z, a cap above the membrane, a dome of helices below it, 117 Å
high and 115 Å across. No coordinate comes from an experiment.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.simulation.atoms import Atoms, join, protein_atom, replicate
from engine.simulation.scattering import FormFactor, displaced_ice, element
from engine.symmetry import point_group

MEMBRANE_CENTRE_A = 14.5
"""Height of the middle of the membrane in the coordinates of `channel`."""

# One protomer as a chain of helices: name, start and end of each axis (x, y, z in Å), B-factor in Å².
_HELICES: tuple[tuple[str, tuple[float, ...], tuple[float, ...], float], ...] = (
    ("pore", (15.3, -2.0, -8.3), (12.9, 1.8, 7.8), 70.0),
    ("M1", (23.3, 4.9, -9.9), (20.8, -1.5, 35.8), 40.0),
    ("cap 1", (22.4, 2.1, 44.3), (37.0, 12.8, 45.6), 70.0),
    ("cap 2", (33.2, 20.8, 41.8), (21.0, 15.5, 54.0), 70.0),
    ("M2", (27.1, 12.6, 37.7), (26.0, 18.4, -26.3), 40.0),
    ("dome 1", (45.0, 10.9, -13.8), (46.9, 21.3, -46.3), 70.0),
    ("dome 2", (50.3, 1.6, -39.7), (34.6, 8.8, -54.0), 70.0),
    ("M3", (39.8, -9.4, -23.4), (39.1, 1.4, 40.6), 40.0),
    ("cap 3", (34.5, 4.3, 54.0), (18.7, 6.4, 54.0), 70.0),
    ("M4", (39.0, 16.8, 35.7), (38.1, 8.0, -8.3), 40.0),
    ("dome 3", (41.4, 30.6, -18.3), (39.0, 24.7, -38.3), 70.0),
    ("dome 4", (38.4, 22.3, -49.9), (28.1, 19.4, -54.0), 70.0),
    ("dome 5", (40.0, -2.7, -30.0), (24.1, 4.9, -51.6), 70.0),
    ("dome 6", (28.0, 12.8, -37.3), (19.8, 14.0, -54.0), 70.0),
    ("dome 7", (18.0, 11.0, -37.1), (26.3, 8.2, -18.0), 70.0),
)

# Backbone of a right-handed alpha helix in cylinder coordinates about its axis, relative to CA: radius (Å),
# angle (°), rise (Å); then the side chain, which points outwards.
_BACKBONE = ((1.55, -27.3, -0.90), (2.28, 0.0, 0.0), (1.68, 26.4, 1.06), (2.02, 25.5, 2.28))
_SIDE_CHAIN = ((3.30, -17.0, -0.35), (4.3, -24.0, 0.7), (5.2, -18.0, -0.3), (5.5, -32.0, 1.0), (5.9, -9.0, -1.2))
_RISE_A, _TURN_DEG = 1.5, 100.0
_GOLDEN = 0.6180339887498949

# The belt: rings of lipids in either leaflet, then two loops of scaffold protein.
_LIPID_AREA_A2 = 65.0
_DISC_RADIUS_A = 68.0
_SCAFFOLD_RADIUS_A = 72.0
_LIPID_BEADS = ((19.5, 0, 0.0), (15.5, 1, 0.0), (12.0, 2, 2.2), (8.0, 2, 2.2), (4.0, 2, 2.2))


def channel() -> Atoms:
    """Protein of the embedded channel: C8 about z, about 20,000 pseudo-atoms, all of one united kind.

    Returns
    -------
    Atoms
        Two species (ordered membrane helices, more mobile cap and dome), displaced ice included.
    """
    parts: list[NDArray[np.float64]] = []
    b_factors: list[NDArray[np.float64]] = []
    offset = 0
    for index, (_, start, end, b) in enumerate(_HELICES):
        atoms = _helix(np.array(start), np.array(end), offset)
        parts.append(atoms)
        b_factors.append(np.full(len(atoms), b))
        offset += round(float(np.linalg.norm(np.subtract(end, start))) / _RISE_A)
        if index + 1 < len(_HELICES):
            loop = _loop(np.array(end), np.array(_HELICES[index + 1][1]), index)
            parts.append(loop)
            b_factors.append(np.full(len(loop), 70.0))
    b_all = np.concatenate(b_factors)
    species = (b_all > 55.0).astype(np.int64)
    protomer = Atoms(np.concatenate(parts).astype(np.float32), species, (protein_atom(40.0), protein_atom(70.0)))
    return replicate(protomer, point_group("C8"))


def nanodisc_belt() -> Atoms:
    """Lipid and scaffold about the channel, C8 about z: three species of beads, blurred as fluids are."""
    return replicate(_membrane(46.5, sectors=8, centre_A=MEMBRANE_CENTRE_A), point_group("C8"))


def channel_in_nanodisc() -> Atoms:
    """The embedded particle: `channel` and `nanodisc_belt`."""
    return join([channel(), nanodisc_belt()])


def empty_nanodisc() -> Atoms:
    """A nanodisc that holds no protein, its centre at the origin."""
    return _membrane(0.0, sectors=1, centre_A=0.0)


def blob(radius_A: float, rng: np.random.Generator, *, density: float = 1.0) -> Atoms:
    """A shapeless heap: what denatured protein or contaminating ice looks like.

    Parameters
    ----------
    radius_A : float
        Rough radius of the heap in Å.
    rng : numpy.random.Generator
    density : float
        Potential above that of the ice, relative to protein.
    """
    lumps = rng.normal(scale=0.45 * radius_A, size=(int(rng.integers(3, 8)), 3))
    sizes = radius_A * rng.uniform(0.3, 0.7, size=len(lumps))
    count = max(1, int(0.1 * radius_A**3 / 100.0))  # beads of twenty atoms fill a tenth of the sphere
    which = rng.choice(len(lumps), size=count, p=sizes**3 / (sizes**3).sum())
    positions = lumps[which] + rng.normal(size=(count, 3)) * (0.5 * sizes[which])[:, None]
    bead = protein_atom(1500.0).scaled(20.0 * density)
    return Atoms(positions.astype(np.float32), np.zeros(count, dtype=np.int64), (bead,))


def _helix(start: NDArray[np.float64], end: NDArray[np.float64], residue_offset: int) -> NDArray[np.float64]:
    """Atoms of a right-handed helix along an axis; side chains differ in length from residue to residue."""
    length = float(np.linalg.norm(end - start))
    axis = (end - start) / length
    side = np.cross(axis, [0.0, 0.0, 1.0] if abs(axis[2]) < 0.9 else [1.0, 0.0, 0.0])
    side /= np.linalg.norm(side)
    other = np.cross(axis, side)
    out = []
    for i in range(round(length / _RISE_A)):
        share = (_GOLDEN * (residue_offset + i)) % 1.0
        chain = _BACKBONE + _SIDE_CHAIN[: 2 + int(share * 4)]
        for radius, angle_deg, rise in chain:
            angle = np.deg2rad(angle_deg + _TURN_DEG * i)
            height = _RISE_A * (i + 0.5) + rise
            out.append(start + axis * height + radius * (np.cos(angle) * side + np.sin(angle) * other))
    return np.array(out)


def _loop(start: NDArray[np.float64], end: NDArray[np.float64], index: int) -> NDArray[np.float64]:
    """Atoms of a chain that links two helices along a bow, away from the pore."""
    middle = 0.5 * (start + end)
    outward = np.array([middle[0], middle[1], 0.0]) / np.hypot(middle[0], middle[1])
    bow = middle + 3.0 * outward * (-1.0) ** index
    count = max(2, round(float(np.linalg.norm(end - start)) / 3.4))
    t = ((np.arange(count) + 0.5) / count)[:, None]
    path = (1 - t) ** 2 * start + 2 * t * (1 - t) * bow + t**2 * end
    angles = 2.0 * np.pi * _GOLDEN * np.arange(7 * count)
    spread = np.stack([np.cos(angles), np.sin(angles), np.cos(1.7 * angles)], axis=1)
    return np.repeat(path, 7, axis=0) + 1.7 * spread


def _membrane(inner_radius_A: float, sectors: int, centre_A: float) -> Atoms:
    """One of `sectors` equal sectors of a lipid disc with its scaffold; a hole in the middle if wanted."""
    points: list[tuple[float, float, float]] = []
    species: list[int] = []
    spacing = np.sqrt(_LIPID_AREA_A2)
    rings = max(1, round((_DISC_RADIUS_A - inner_radius_A) / spacing))
    for ring in range(rings):
        radius = inner_radius_A + (ring + 0.5) * (_DISC_RADIUS_A - inner_radius_A) / rings
        count = max(1, round(2 * np.pi * radius / spacing / sectors))
        for i in range(count):
            angle = 2 * np.pi * (i + (ring * _GOLDEN) % 1.0) / (count * sectors)
            for leaflet in (-1.0, 1.0):
                for height, kind, spread in _LIPID_BEADS:
                    for sign in (-1.0, 1.0) if spread else (0.0,):
                        r = radius + sign * spread
                        z = centre_A + leaflet * height
                        points.append((r * np.cos(angle), r * np.sin(angle), z))
                        species.append(kind)
    count = round(2 * np.pi * _SCAFFOLD_RADIUS_A / 4.0 / sectors)
    for i in range(count):
        angle = 2 * np.pi * (i + 0.5) / (count * sectors)
        for height in (-8.0, 8.0):
            wave = 2.0 * np.sin(8 * angle)
            r = _SCAFFOLD_RADIUS_A + wave
            points.append((r * np.cos(angle), r * np.sin(angle), centre_A + height))
            species.append(3)
    return Atoms(np.array(points, dtype=np.float32), np.array(species), _membrane_beads())


def _membrane_beads() -> tuple[FormFactor, ...]:
    """Head group, glycerol, four CH2 of a tail, and 4 Å of a scaffold helix (21 heavy atoms)."""
    carbon, oxygen, hydrogen = element("C"), element("O"), element("H")
    head = element("P") + oxygen.scaled(4.0) + carbon.scaled(5.0) + element("N") + hydrogen.scaled(13.0)
    glycerol = carbon.scaled(5.0) + oxygen.scaled(4.0) + hydrogen.scaled(5.0)
    tail = carbon.scaled(4.0) + hydrogen.scaled(8.0)
    return (
        (head + displaced_ice(190.0)).blurred(1200.0),
        (glycerol + displaced_ice(130.0)).blurred(1200.0),
        (tail + displaced_ice(110.0)).blurred(1400.0),
        protein_atom(400.0).scaled(21.0),
    )
