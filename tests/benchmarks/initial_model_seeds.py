"""Initial models from many seeds against truth: keeps ``build/initial-model-seeds.json``, writes a page of figures.

``python -m tests.benchmarks.initial_model_seeds [--seeds N] [--first-seed S] [--cases NAME …] [--starts N]``

Each run adds to what is kept; delete the file after a change of the method.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from engine.optics import Optics
from engine.particles import Particles
from engine.reconstruction.alignment import map_fsc_to_truth
from engine.reconstruction.initial_model import InitialModelOptions, initial_model
from engine.simulation.atoms import Atoms, protein_atom, replicate
from engine.simulation.particles import simulate_particles
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import density
from engine.symmetry import point_group
from tests.benchmarks.run import BUILD, REPOSITORY

_BOX_PX, _PIXEL_A, _RIGHT_A = 64, 3.465, 12.0
_OPTICS = Optics(300.0, 1.6, 0.1)
_KEPT = BUILD / "initial-model-seeds.json"
_PAGE = REPOSITORY / "docs" / "benchmarks" / "initial-model.md"


@dataclass(frozen=True)
class Case:
    """What is simulated, and the symmetry imposed on it."""

    atoms: Callable[[], Atoms]
    imposed: str
    true: str
    mask_A: float


def _rod(start: NDArray, end: NDArray, rng: np.random.Generator) -> NDArray:
    """Atoms about a straight line, as many as a helix of that length has, within 4.5 Å of it."""
    count = int(5.3 * np.linalg.norm(end - start))
    points = start + rng.uniform(size=(count, 1)) * (end - start)
    return points + rng.normal(scale=2.5, size=(count, 3))


def rods(symmetry: str, domains: int, first_A: tuple[float, float, float], most_A: float, seed: int) -> Atoms:
    """A particle of any point group: domains of 14 rods each, grown one beside the other."""
    rng = np.random.default_rng(seed)
    operators = point_group(symmetry)
    centres = [np.asarray(first_A, float)]
    while len(centres) < domains:
        step = rng.normal(size=3)
        new = centres[rng.integers(len(centres))] + 31.0 * step / np.linalg.norm(step)
        mates = [g @ new - c for g in operators[1:] for c in [*centres, new]]
        apart = min(np.linalg.norm(new - c) for c in centres) > 26.0 and all(np.linalg.norm(m) > 27.0 for m in mates)
        if apart and np.linalg.norm(new) < most_A:
            centres.append(new)
    places = []
    for centre in centres:
        for _ in range(14):
            axis, middle = rng.normal(size=(2, 3))
            axis *= rng.uniform(6.0, 14.0) / np.linalg.norm(axis)
            middle *= 13.6 * rng.uniform() ** (1 / 3) / np.linalg.norm(middle)
            places.append(_rod(centre + middle - axis, centre + middle + axis, rng))
    points = np.concatenate(places)
    if symmetry == "C1":
        points -= points.mean(axis=0)
    one = Atoms(points.astype(np.float32), np.zeros(len(points), np.int64), (protein_atom(60.0),))
    return replicate(one, operators)


CASES = {
    "channel-C1": Case(channel_in_nanodisc, "C1", "C8", 160.0),
    "channel-C8": Case(channel_in_nanodisc, "C8", "C8", 160.0),
    "asymmetric": Case(lambda: rods("C1", 10, (0, 0, 0), 58.0, 5), "C1", "C1", 160.0),
    "D2": Case(lambda: rods("D2", 4, (22, 16, 18), 62.0, 6), "D2", "D2", 165.0),
    "D7": Case(lambda: rods("D7", 2, (45, 10, 20), 66.0, 7), "D7", "D7", 170.0),
}


def _one(name: str, seed: int, starts: int | None, count: int, snr: float) -> dict[str, object]:
    """Figures of one seed: the seed makes the images as well as the run."""
    case = CASES[name]
    atoms, rng = case.atoms(), np.random.default_rng([seed, 1])
    images, truth = simulate_particles(atoms, count, _BOX_PX, _PIXEL_A, _OPTICS, (8e3, 22e3), snr, rng, offset_px=2.0)
    particles = Particles.from_array(images, _PIXEL_A, truth.defocus, _OPTICS)
    options = InitialModelOptions(case.mask_A, symmetry=case.imposed, starts=starts)
    begun = time.process_time()
    *_, last = initial_model(particles, options, np.random.default_rng([seed, 2]))
    seconds = time.process_time() - begun
    found = map_fsc_to_truth(last.volumes[0], density(atoms, _BOX_PX, _PIXEL_A), _PIXEL_A, case.true)
    return {
        "case": name,
        "seed": seed,
        "starts": "default" if starts is None else str(starts),
        "particles": count,
        "snr": snr,
        "fsc_05_A": float(found["resolution_05_A"]),
        "cpu_s": seconds,
        "starts_made": int(np.isfinite(last.start_scores).sum()),
        "kda": atoms.count * 13.9e-3,
    }


def _page(kept: list[dict]) -> str:
    """The page of all that is kept."""
    groups: dict[tuple, list[dict]] = {}
    for r in kept:
        groups.setdefault((r["case"], r["starts"], r["particles"], r["snr"]), []).append(r)
    rows = []
    for (case, starts, count, snr), runs in sorted(groups.items()):
        fsc, cpu = ([float(r[k]) for r in runs] for k in ("fsc_05_A", "cpu_s"))
        right, made = sum(f <= _RIGHT_A for f in fsc), np.mean([r["starts_made"] for r in runs])
        rows.append(
            f"| {case} | {CASES[case].imposed} | {count} | {snr:g} | {starts} ({made:.1f}) | {right} of {len(runs)} | "
            f"{np.median(fsc):.1f} | {max(fsc):.1f} | {np.median(cpu):.0f} |"
        )
    return f"""# Initial models from many seeds

Made by `python -m tests.benchmarks.initial_model_seeds`, last on {datetime.now(UTC):%Y-%m-%d}, {platform.machine()},
Python {platform.python_version()}, numpy {version("numpy")}, one thread, on a machine that was busy with other work
(which makes CPU seconds longer). Simulated particles in boxes of {_BOX_PX}² ({_PIXEL_A} Å/px), defocus 0.8–2.2 µm,
centres wrong by up to 2 px; an SNR of 0.3 in these boxes is about one of 0.04 at 1.232 Å/px. Each seed has images and
random starts of its own. Right: FSC 0.5 against truth at {_RIGHT_A:g} Å or finer, without a mask, either hand. CPU
seconds are those of the search, without assigning poses to all particles at the end.

| case | imposed | particles | SNR | starts (made on average) | right | median FSC 0.5, Å | worst, Å | CPU s, median |
|---|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}
"""


def main() -> None:
    """Run what is asked for, seed after seed over all cases, and write the page after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--starts", type=int, default=None, help="random starts; the step's default unless given")
    parser.add_argument("--particles", type=int, default=500)
    parser.add_argument("--snr", type=float, default=0.3)
    chosen = parser.parse_args()
    _KEPT.parent.mkdir(exist_ok=True)
    for seed in range(chosen.first_seed, chosen.first_seed + chosen.seeds):
        for name in chosen.cases:
            found = _one(name, seed, chosen.starts, chosen.particles, chosen.snr)
            print(json.dumps(found), flush=True)
            kept = json.loads(_KEPT.read_text(encoding="utf-8")) if _KEPT.exists() else []
            _KEPT.write_text(json.dumps([*kept, found]), encoding="utf-8")
            _PAGE.write_text(_page([*kept, found]), encoding="utf-8")


if __name__ == "__main__":
    main()
