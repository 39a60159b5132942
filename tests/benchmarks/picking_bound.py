"""How well objects could be picked by one that knows them: the bound beside the pickers' F1.

``python -m tests.benchmarks.picking_bound [NUMBER …]`` prints a row for each set (all of them by default).

At every place the ratio of two likelihoods (Neyman & Pearson, Phil Trans R Soc A 231, 289, 1933): of an object there,
its true projections in all orientations 15° apart with the true CTF and strength, against nothing, an aggregate or
ice, sixty of each drawn from the same laws. The noise is coloured with the spectrum of micrographs without objects. The
band is that of the pickers. Each place is judged alone, so neighbours disturb it as they disturb the pickers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.ctf.model import ctf
from engine.geometry import random_rotations
from engine.picking.grid import PickingGrid, band_pass, flatten_micrograph, frequencies_per_A, picking_grid
from engine.picking.peaks import Peaks, find_peaks
from engine.picking.pick import Candidates
from engine.picking.scores import Thresholds
from engine.poses.grid import global_orientations
from engine.simulation.atoms import Atoms
from engine.simulation.micrographs import (
    SimulatedMicrograph,
    electrons_per_px,
    simulate_micrograph,
    simulate_micrographs,
)
from engine.simulation.phantom import blob, empty_nanodisc
from engine.simulation.projection import project_atoms
from engine.simulation.scattering import interaction_constant_rad_per_VA
from engine.simulation.settings import SMALL, MicrographSettings
from tests.benchmarks.picking_cases import CASES, DATA, HELD_OUT, Case, atoms_of
from tests.benchmarks.picking_table import Found, figures

_LOW_PASS_A, _HIGH_PASS_A = 20.0, 500.0
_STEP_DEG, _DISC_STEP_DEG, _BLOBS, _EMPTY = 15.0, 20.0, 60, 3
_ROOM_A = 40.0

Hypothesis = tuple[float, NDArray[np.float32]]
"""Share of the objects that are such, and their projections."""


@dataclass(frozen=True)
class _Knowledge:
    """What the detector knows of a set: objects, what is none, and how they are imaged."""

    settings: MicrographSettings
    atoms: Atoms
    objects: list[Hypothesis]
    others: list[Hypothesis]

    @property
    def grid(self) -> PickingGrid:
        return picking_grid(self.settings.shape, self.settings.pixel_size_A, _LOW_PASS_A)

    def score(self, made: SimulatedMicrograph) -> NDArray[np.float32]:
        """Logarithm of the likelihood ratio at every place of the coarse grid."""
        image = flatten_micrograph(made.image, self.grid, _LOW_PASS_A, _HIGH_PASS_A)
        inverse = self._inverse_noise(made)
        spectrum = np.fft.rfft2(image) * inverse
        gain = self._gain(made)
        objects = self._evidence(spectrum, inverse, gain, self.objects)
        others = self._evidence(spectrum, inverse, gain, self.others)
        return (objects - np.logaddexp(others, 0.0)).astype(np.float32)

    def _inverse_noise(self, made: SimulatedMicrograph) -> NDArray[np.float64]:
        """One over the power of the noise, ring by ring, from micrographs that hold nothing."""
        shape, empty = self.grid.coarse_shape_px, replace(self.settings, objects_per_micrograph=0)
        power = np.zeros((shape[0], shape[1] // 2 + 1))
        for seed in range(_EMPTY):
            rng = np.random.default_rng(100 + seed)
            nothing = simulate_micrograph(self.atoms, empty, float(made.truth.defocus.mean_A), rng).image
            power += np.abs(np.fft.rfft2(flatten_micrograph(nothing, self.grid, _LOW_PASS_A, _HIGH_PASS_A))) ** 2
        k = np.hypot(*self._frequencies())
        ring = (k / k[0, 1]).astype(np.intp)
        mean = np.bincount(ring.ravel(), power.ravel()) / np.maximum(np.bincount(ring.ravel()), 1) / _EMPTY
        keep = self._keep()
        return np.where(keep > 1e-3 * keep.max(), 1 / np.maximum(mean[ring], 1e-12), 0.0)

    def _frequencies(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return frequencies_per_A(self.grid.coarse_shape_px, self.grid.coarse_pixel_size_A)

    def _keep(self) -> NDArray[np.float32]:
        keep = band_pass(self.grid.coarse_shape_px, self.grid.coarse_pixel_size_A, _LOW_PASS_A, _HIGH_PASS_A)
        keep[0, 0] = 0.0
        return keep

    def _gain(self, made: SimulatedMicrograph) -> NDArray[np.float64]:
        """From projected potential to what a flattened micrograph shows of it."""
        settings, (ky, kx) = self.settings, self._frequencies()
        sigma = interaction_constant_rad_per_VA(float(settings.optics.voltage_kv))
        strength = 2 * sigma * settings.contrast * electrons_per_px(settings)
        strength *= float(np.prod(self.grid.coarse_shape_px)) / float(np.prod(settings.shape))
        envelope = np.exp(-0.25 * settings.envelope_B_A2 * (kx**2 + ky**2))
        curve = np.reshape(ctf(kx, ky, made.truth.defocus, settings.optics), envelope.shape)
        return np.asarray(strength * curve * envelope * self._keep(), np.float64)

    def _evidence(
        self, spectrum: NDArray, inverse: NDArray, gain: NDArray, hypotheses: list[Hypothesis]
    ) -> NDArray[np.float64]:
        """Logarithm of the summed likelihood, times prior, of all projections at every place."""
        rows, columns = self.grid.coarse_shape_px
        twice = np.full(columns // 2 + 1, 2.0)
        twice[0] = twice[-1] = 1.0
        total = np.full((rows, columns), -np.inf)
        for share, images in hypotheses:
            prior = np.log(share * self.settings.objects_per_micrograph / (rows * columns * len(images)))
            for ft in self._spectra(images):
                seen = ft * gain
                energy = 0.5 * float((twice * np.abs(seen) ** 2 * inverse).sum())
                match = np.fft.irfft2(spectrum * seen.conj(), (rows, columns)) * (rows * columns)
                np.logaddexp(total, match - energy + prior, out=total)
        return total

    def _spectra(self, images: NDArray[np.float32]) -> Iterator[NDArray[np.complex64]]:
        """Transforms of projections at the frequencies of the coarse grid, their centres at the origin."""
        (rows, columns), (height, width) = self.grid.coarse_shape_px, self.settings.shape
        place = np.arange(images.shape[-1]) - images.shape[-1] // 2
        down = np.exp(-2j * np.pi * np.outer(np.fft.fftfreq(rows) * rows, place) / height).astype(np.complex64)
        along = np.exp(-2j * np.pi * np.outer(place, np.arange(columns // 2 + 1)) / width).astype(np.complex64)
        for image in images:
            yield down @ image.astype(np.complex64) @ along


def _known(case: Case, atoms: Atoms, settings: MicrographSettings) -> _Knowledge:
    rng, pixel_A, shares = np.random.default_rng(5), settings.pixel_size_A, settings.kind_fractions

    def views(model: Atoms, rotations: NDArray[np.float64]) -> NDArray[np.float32]:
        box_px = 2 * int(np.ceil((model.radius_A + _ROOM_A) / pixel_A))
        return project_atoms(model, rotations, np.zeros((len(rotations), 2)), box_px, pixel_A)

    def blobs(least_A: float, most_A: float, density: float) -> list[NDArray[np.float32]]:
        drawn = [blob(float(rng.uniform(least_A, most_A)), rng, density=density) for _ in range(_BLOBS)]
        return [views(model, random_rotations(1, rng)) for model in drawn]

    discs = views(empty_nanodisc(), global_orientations(_DISC_STEP_DEG, "C8"))
    particles = views(atoms, global_orientations(_STEP_DEG, case.symmetry))
    others = [
        (share / _BLOBS, image)
        for share, images in ((shares[2], blobs(45.0, 75.0, 1.0)), (shares[3], blobs(50.0, 90.0, 3.0)))
        for image in images
    ]
    return _Knowledge(settings, atoms, [(shares[0], particles), (shares[1], discs)], others)


def _candidates(peaks: Peaks, grid: PickingGrid) -> Candidates:
    places, nothing = grid.to_micrograph_px(peaks.positions_px), np.zeros(0, np.float32)
    whole, zero = np.zeros(len(places), np.int32), np.zeros(len(places), np.float32)
    return Candidates(places[:, 0], places[:, 1], peaks.scores, zero, whole, zero, nothing, nothing, nothing)


def row(case: Case) -> str:
    """Recall, precision, F1 and centre error at the bound of the ratio that suits the truth best."""
    atoms, diameter_A = atoms_of(case)
    settings = replace(SMALL, **{"count": 3, **case.changes})  # type: ignore[arg-type]
    made = list(simulate_micrographs(atoms, settings, np.random.default_rng(case.seed)))
    known = _known(case, atoms, settings)
    unit_A = known.grid.mean_pixel_size_A
    peaks = [find_peaks(known.score(m), 0.6 * diameter_A / unit_A, -1e9, 0.5 * diameter_A / unit_A) for m in made]
    found = Found([_candidates(p, known.grid) for p in peaks], 0.0)
    levels = np.quantile(found.joined("ncc"), np.linspace(0, 1, 200))
    tried = [figures(found, Thresholds(min_ncc=float(t)), made, settings, 0.5 * diameter_A) for t in levels]
    recall, precision, f1, error_A = max(tried, key=lambda one: one[2])
    return f"| {case.name} | {recall:.3f} | {precision:.3f} | {f1:.3f} | {error_A:.1f} |"


def main() -> None:
    """Print the rows of some sets, or of all."""
    cases = CASES + (HELD_OUT if DATA.is_dir() else ())
    for number in [int(text) for text in sys.argv[1:]] or range(len(cases)):
        print(row(cases[number]), flush=True)


if __name__ == "__main__":
    main()
