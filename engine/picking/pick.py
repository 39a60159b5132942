"""Picking one micrograph from end to end: flatten, correlate, find peaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace, to_numpy
from engine.optics import Defocus, Optics
from engine.picking.correlate import ScoreMaps, power_map, score_maps
from engine.picking.grid import PickingGrid, flatten_micrograph
from engine.picking.peaks import find_peaks
from engine.picking.templates import TemplateBank, disc_weight, window_side_px


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
    decoy_ncc, decoy_power : scores of the peaks in the opposite contrast.
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    ncc: NDArray[np.float32]
    power: NDArray[np.float32]
    class_number: NDArray[np.int32]
    psi_deg: NDArray[np.float32]
    decoy_ncc: NDArray[np.float32]
    decoy_power: NDArray[np.float32]

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
    banks : template banks; several where their masks differ (blobs of several diameters).
    settings : see `PickSettings`.
    defocus, optics : the CTF of the micrograph; templates stay unfiltered where `defocus` is None.
    """
    xp = array_namespace(micrograph)
    image = flatten_micrograph(micrograph, grid, settings.low_pass_A, settings.high_pass_A, settings.invert)
    maps, owner = _best_bank(image, banks, defocus, optics)
    side = window_side_px(settings.diameter_A, grid.coarse_pixel_size_A)
    disc = xp.asarray(disc_weight(side, settings.diameter_A, grid.coarse_pixel_size_A))
    power = power_map(image, disc, round(0.5 * settings.diameter_A / grid.mean_pixel_size_A))
    return _candidates(maps, to_numpy(power), to_numpy(owner), grid, banks, settings)


def _best_bank(
    image: Array, banks: Sequence[TemplateBank], defocus: Defocus | None, optics: Optics | None
) -> tuple[ScoreMaps, Array]:
    """Pixel by pixel the scores of the best bank, and its index."""
    if not banks:
        raise ValueError("No template was given to pick with.")
    xp = array_namespace(image)
    owner = xp.zeros(image.shape, dtype=xp.int16)
    best: ScoreMaps | None = None
    for number, bank in enumerate(banks):
        local = bank.to(xp)
        maps = score_maps(image, local.weight, local.kernels(defocus, optics))
        if best is not None:
            wins = maps.ncc > best.ncc
            owner = xp.where(wins, xp.int16(number), owner)
            maps = ScoreMaps(
                xp.where(wins, maps.ncc, best.ncc),
                xp.where(wins, maps.template, best.template),
                xp.maximum(maps.opposite, best.opposite),
            )
        best = maps
    assert best is not None
    return best, owner


def _candidates(
    maps: ScoreMaps,
    power: NDArray[np.float32],
    owner: NDArray[np.int16],
    grid: PickingGrid,
    banks: Sequence[TemplateBank],
    settings: PickSettings,
) -> Candidates:
    pixel_A = grid.mean_pixel_size_A
    distance, floor, edge = settings.min_distance_A / pixel_A, settings.min_candidate_ncc, settings.edge_A / pixel_A
    peaks = find_peaks(to_numpy(maps.ncc), distance, floor, edge, settings.max_candidates)
    decoys = find_peaks(to_numpy(maps.opposite), distance, floor, edge, settings.max_candidates)
    x, y = peaks.pixels[:, 0], peaks.pixels[:, 1]
    template, bank_of = to_numpy(maps.template)[y, x], owner[y, x]
    classes = np.zeros(len(x), np.int32)
    psi = np.zeros(len(x), np.float32)
    offset = 0
    for number, bank in enumerate(banks):
        mine = bank_of == number
        classes[mine] = bank.class_number[template[mine]] + offset
        psi[mine] = bank.psi_deg[template[mine]]
        offset += int(bank.class_number.max())
    positions = grid.to_micrograph_px(peaks.positions_px)
    return Candidates(
        x_px=positions[:, 0],
        y_px=positions[:, 1],
        ncc=peaks.scores,
        power=power[y, x],
        class_number=classes,
        psi_deg=psi,
        decoy_ncc=decoys.scores,
        decoy_power=power[decoys.pixels[:, 1], decoys.pixels[:, 0]],
    )
