"""Picking one micrograph from end to end: flatten, correlate, find peaks.

Several banks of templates may look for the same particles. The more templates a bank has, the higher the score that
noise alone reaches with it; the scores of the other banks are therefore scaled so that noise reaches the same as with
the first. What noise reaches is the median of the peaks in the opposite contrast: most of them are nothing but noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace, to_numpy
from engine.optics import Defocus, Optics
from engine.picking.correlate import ScoreMaps, power_map, score_maps
from engine.picking.decoys import Scored, noise_weights
from engine.picking.grid import PickingGrid, flatten_micrograph
from engine.picking.peaks import Peaks, find_peaks, sub_pixel_offsets, suppress_neighbours
from engine.picking.templates import TemplateBank, disc_weight, window_side_px

_RECENTRE_DIAMETERS = 0.15
"""How far, in particle diameters, a peak may be moved to where the first bank sees the particle."""


@dataclass(frozen=True)
class PickSettings:
    """What is the same for every micrograph.

    Parameters
    ----------
    diameter_A : particle diameter.
    low_pass_A, high_pass_A : band of the micrograph that is compared, in Å.
    min_distance_A : smallest distance between two picks.
    edge_A : picks nearer to an edge are dropped.
    min_candidate_ncc : candidates below this score are not kept at all.
    max_candidates : largest number of candidates on one micrograph.
    invert : the micrograph shows protein dark.
    """

    diameter_A: float
    low_pass_A: float = 20.0
    high_pass_A: float = 500.0
    min_distance_A: float = 96.0
    edge_A: float = 80.0
    min_candidate_ncc: float = 0.1
    max_candidates: int = 4000
    invert: bool = True


@dataclass(frozen=True)
class Candidates:
    """Peaks of one micrograph in order of falling NCC; fields have shape (m,), those of decoys (d,).

    Parameters
    ----------
    x_px, y_px : position in pixels of the micrograph.
    ncc, power : scores as `engine.picking.correlate` defines them.
    class_number : 1-based number of the best template.
    psi_deg : its in-plane angle.
    decoy_ncc, decoy_power : scores of the peaks in the opposite contrast, fringes of particles left out.
    decoy_weight : for how many candidates of noise each of them stands (see `engine.picking.decoys`).
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    ncc: NDArray[np.float32]
    power: NDArray[np.float32]
    class_number: NDArray[np.int32]
    psi_deg: NDArray[np.float32]
    decoy_ncc: NDArray[np.float32]
    decoy_power: NDArray[np.float32]
    decoy_weight: NDArray[np.float32]

    @property
    def count(self) -> int:
        """Number of candidates."""
        return len(self.x_px)


def pick_micrograph(
    micrograph: Array,
    grid: PickingGrid,
    banks: Sequence[TemplateBank],
    settings: PickSettings,
    defocus: Defocus | None = None,
    optics: Optics | None = None,
) -> Candidates:
    """Find the candidates of one micrograph.

    Parameters
    ----------
    micrograph : (height, width) grey values; its array library does the work.
    grid : the grid on which the banks were made.
    banks : template banks; the first one decides on positions, the others help to find.
    settings : see `PickSettings`.
    defocus, optics : the CTF of the micrograph; templates stay unfiltered where `defocus` is None.
    """
    if not banks:
        raise ValueError("No template was given to pick with.")
    xp = array_namespace(micrograph)
    image = flatten_micrograph(micrograph, grid, settings.low_pass_A, settings.high_pass_A, settings.invert)
    found = [_maps(image, bank.to(xp), defocus, optics) for bank in banks]
    side = window_side_px(settings.diameter_A, grid.coarse_pixel_size_A)
    disc = xp.asarray(disc_weight(side, settings.diameter_A, grid.coarse_pixel_size_A))
    power = power_map(image, disc, round(0.5 * settings.diameter_A / grid.mean_pixel_size_A))
    return _candidates(found, to_numpy(power), grid, banks, settings)


def _maps(image: Array, bank: TemplateBank, defocus: Defocus | None, optics: Optics | None) -> ScoreMaps:
    """Scores with one bank, on the host."""
    maps = score_maps(image, bank.weight, *bank.few_kernels(defocus, optics))
    return ScoreMaps(to_numpy(maps.ncc), to_numpy(maps.template), to_numpy(maps.opposite))


@dataclass(frozen=True)
class _Search:
    """Distances in coarse pixels, and the peaks that follow from them."""

    apart: float
    floor: float
    edge: float
    limit: int

    def peaks(self, score: NDArray[np.float32]) -> Peaks:
        return find_peaks(score, self.apart, self.floor, self.edge, self.limit)

    def noise_level(self, maps: ScoreMaps) -> float:
        """Score that noise reaches: the median peak in the opposite contrast (1 where there is none)."""
        scores = self.peaks(maps.opposite).scores
        return float(np.median(scores)) if len(scores) else 1.0


def _candidates(
    found: Sequence[ScoreMaps],
    power: NDArray[np.float32],
    grid: PickingGrid,
    banks: Sequence[TemplateBank],
    settings: PickSettings,
) -> Candidates:
    pixel_A = grid.mean_pixel_size_A
    search = _Search(
        settings.min_distance_A / pixel_A,
        settings.min_candidate_ncc,
        settings.edge_A / pixel_A,
        settings.max_candidates,
    )
    best, owner, level = _together(found, search)
    decoys = search.peaks(best.opposite)
    peaks = search.peaks(best.ncc)
    if len(found) > 1:
        peaks, owner = _at_first_bank(peaks, owner, found[0], level, settings.diameter_A / pixel_A, search.apart)
    else:
        owner = owner[peaks.pixels[:, 1], peaks.pixels[:, 0]]
    x, y = peaks.pixels[:, 0], peaks.pixels[:, 1]
    diameter_px, (rows, columns) = settings.diameter_A / pixel_A, power.shape
    area_px = (search.edge, search.edge, columns - 1 - search.edge, rows - 1 - search.edge)
    opposite, right = (Scored(found.positions_px, found.scores) for found in (decoys, peaks))
    weights = noise_weights(opposite, right, area_px, diameter_px, search.apart)
    noise = weights > 0
    classes, psi = _identity(found, owner, x, y, banks)
    positions = grid.to_micrograph_px(peaks.positions_px)
    return Candidates(
        x_px=positions[:, 0],
        y_px=positions[:, 1],
        ncc=peaks.scores,
        power=power[y, x],
        class_number=classes,
        psi_deg=psi,
        decoy_ncc=decoys.scores[noise],
        decoy_power=power[decoys.pixels[:, 1], decoys.pixels[:, 0]][noise],
        decoy_weight=weights[noise],
    )


def _together(found: Sequence[ScoreMaps], search: _Search) -> tuple[ScoreMaps, NDArray[np.int16], float]:
    """Pixel by pixel the best score over the banks, the bank that has it, and what noise reaches with the first."""
    best = found[0]
    owner = np.zeros(best.ncc.shape, np.int16)
    level = search.noise_level(best)
    for number, maps in enumerate(found[1:], start=1):
        scale = np.float32(level / search.noise_level(maps))
        wins = maps.ncc * scale > best.ncc
        owner[wins] = number
        best = ScoreMaps(
            np.minimum(np.where(wins, maps.ncc * scale, best.ncc), np.float32(1.0)),
            best.template,
            np.minimum(np.maximum(maps.opposite * scale, best.opposite), np.float32(1.0)),
        )
    return best, owner, level


def _at_first_bank(
    peaks: Peaks, owner: NDArray[np.int16], first: ScoreMaps, level: float, diameter_px: float, apart_px: float
) -> tuple[Peaks, NDArray[np.int16]]:
    """Move peaks to the best place nearby for the first bank, which knows the particle's centre, where it sees one."""
    reach = max(1, round(_RECENTRE_DIAMETERS * diameter_px))
    steps = np.arange(-reach, reach + 1)
    dy, dx = (a.reshape(-1) for a in np.meshgrid(steps, steps, indexing="ij"))
    near = np.hypot(dy, dx) <= reach
    rows, columns = first.ncc.shape
    y = np.clip(peaks.pixels[:, 1:] + dy[near], 0, rows - 1)
    x = np.clip(peaks.pixels[:, :1] + dx[near], 0, columns - 1)
    scores = first.ncc[y, x]
    place = scores.argmax(axis=1)
    each = np.arange(len(place))
    seen = scores[each, place] > level
    moved = np.stack([x[each, place], y[each, place]], axis=1)
    pixels = np.where(seen[:, None], moved, peaks.pixels)
    exact = moved + sub_pixel_offsets(first.ncc, moved[:, 0], moved[:, 1])
    positions = np.where(seen[:, None], exact, peaks.positions_px)
    who = np.where(seen, 0, owner[peaks.pixels[:, 1], peaks.pixels[:, 0]]).astype(np.int16)
    kept = suppress_neighbours(positions, apart_px)
    return Peaks(positions[kept], pixels[kept], peaks.scores[kept]), who[kept]


def _identity(
    found: Sequence[ScoreMaps],
    owner: NDArray[np.int16],
    x: NDArray[np.int64],
    y: NDArray[np.int64],
    banks: Sequence[TemplateBank],
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Class and in-plane angle of the best template at some pixels; the classes of the banks are numbered on."""
    classes = np.zeros(len(x), np.int32)
    psi = np.zeros(len(x), np.float32)
    offset = 0
    for number, (maps, bank) in enumerate(zip(found, banks, strict=True)):
        mine = owner == number
        template = maps.template[y[mine], x[mine]]
        classes[mine] = bank.class_number[template] + offset
        psi[mine] = bank.psi_deg[template]
        offset += int(bank.class_number.max())
    return classes, psi
