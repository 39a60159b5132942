"""Initial models from many seeds against truth: keeps ``build/initial-model-seeds.json``, writes a page of figures.

``python -m tests.benchmarks.initial_model_seeds [--seeds N] [--first-seed S] [--cases NAME …] [--starts N]``

Each run adds to what is kept; delete the file after a change of the method. ``--seeds 0`` only writes the page.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np

from engine.alignment.align import map_fsc_to_truth
from engine.initial_model.ab_initio import InitialModelOptions, InitialModelState, initial_model
from engine.initial_model.poses import assign_poses
from tests.benchmarks.initial_model_cases import BOX_PX, CASES, PIXEL_A, Images
from tests.benchmarks.run import BUILD, REPOSITORY

_RIGHT_A = 12.0
_KEPT = BUILD / "initial-model-seeds.json"
_PAGE = REPOSITORY / "docs" / "benchmarks" / "initial-model.md"


def _one(name: str, seed: int, starts: int | None, count: int, snr: float) -> dict[str, Any]:
    """Figures of one seed: the seed makes the images as well as the run."""
    case = CASES[name]
    images = case.images(seed, count, snr)
    options = InitialModelOptions(case.mask_A, symmetry=case.imposed, starts=starts, classes=case.classes)
    begun = time.process_time()
    *_, last = initial_model(images.particles, options, np.random.default_rng([seed, 2]))
    seconds = time.process_time() - begun
    fsc_A = [
        float(map_fsc_to_truth(v, images.truth, images.pixel_size_A, case.true, images.mask)["resolution_05_A"])
        for v in last.volumes
    ]
    found = {
        "case": name,
        "seed": seed,
        "starts": "default" if starts is None else str(starts),
        "particles": images.particles.count,
        "snr": None if case.real else snr,
        "fsc_05_A": min(fsc_A),
        "cpu_s": seconds,
        "starts_made": int(np.isfinite(last.start_scores).sum()),
    }
    if case.classes > 1:
        found |= _sorted(images, options, last, int(np.argmin(fsc_A)))
    return found


def _sorted(images: Images, options: InitialModelOptions, last: InitialModelState, best: int) -> dict[str, float]:
    """Share of the good particles that are in the best class, and share of junk in it."""
    poses = assign_poses(images.particles, options, last)
    chosen = poses.model == best
    return {
        "good_kept": float(chosen[images.good].mean()),
        "junk_inside": float((chosen & ~images.good).sum() / max(chosen.sum(), 1)),
    }


def _row(case: str, starts: str, snr: float | None, runs: list[dict[str, Any]]) -> str:
    fsc, cpu = ([float(r[k]) for r in runs] for k in ("fsc_05_A", "cpu_s"))
    right, made = sum(f <= _RIGHT_A for f in fsc), np.mean([r["starts_made"] for r in runs])
    sorting = "–"
    if "good_kept" in runs[0]:
        kept, inside = (np.median([r[k] for r in runs]) for k in ("good_kept", "junk_inside"))
        sorting = f"{100 * kept:.0f} %, {100 * inside:.0f} %"
    return (
        f"| {case} | {CASES[case].imposed} | {runs[0]['particles']} | {'real' if snr is None else f'{snr:g}'} | "
        f"{starts} ({made:.1f}) | {right} of {len(runs)} | {np.median(fsc):.1f} | {max(fsc):.1f} | {sorting} | "
        f"{np.median(cpu):.0f} |"
    )


def _page(kept: list[dict[str, Any]]) -> str:
    """The page of all that is kept."""
    groups: dict[tuple[str, str, int, float | None], list[dict[str, Any]]] = {}
    for r in kept:
        groups.setdefault((r["case"], r["starts"], r["particles"], r["snr"]), []).append(r)
    rows = [_row(case, starts, snr, runs) for (case, starts, _, snr), runs in sorted(groups.items(), key=str)]
    return f"""# Initial models from many seeds

Made by `python -m tests.benchmarks.initial_model_seeds`, last on {datetime.now(UTC):%Y-%m-%d}, {platform.machine()},
Python {platform.python_version()}, numpy {version("numpy")}, one thread, on a machine that was busy with other work
(which makes CPU seconds longer). Simulated particles in boxes of {BOX_PX}² ({PIXEL_A} Å/px), defocus 0.8–2.2 µm,
centres wrong by up to 2 px; an SNR of 0.3 in these boxes is about one of 0.04 at 1.232 Å/px. Each seed has images and
random starts of its own. Right: FSC 0.5 against truth at {_RIGHT_A:g} Å or finer, without a mask, either hand. FSC and
CPU seconds are medians; the seconds are those of the search, without assigning poses to all particles at the end.

In the cases `junk` 35 % of the images show an empty nanodisc, and two classes are made: given are the FSC of the better
class, the share of the good particles that are in it, and the share of junk in it. The cases `galactosidase` are 1,217
real particles (EMPIAR-10204, 64² boxes of 3.54 Å/px, as picked, junk included) against the atomic model 5a1a in a mask
about it; seeds differ in the start alone.

| case | imposed | particles | SNR | starts (made) | right | FSC 0.5, Å | worst, Å | good kept, junk inside | CPU s |
|---|---|---|---|---|---|---|---|---|---|
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
    kept = json.loads(_KEPT.read_text(encoding="utf-8")) if _KEPT.exists() else []
    _PAGE.write_text(_page(kept), encoding="utf-8")
    for seed in range(chosen.first_seed, chosen.first_seed + chosen.seeds):
        for name in chosen.cases:
            found = _one(name, seed, chosen.starts, chosen.particles, chosen.snr)
            print(json.dumps(found), flush=True)
            kept = json.loads(_KEPT.read_text(encoding="utf-8")) if _KEPT.exists() else []
            _KEPT.write_text(json.dumps([*kept, found]), encoding="utf-8")
            _PAGE.write_text(_page([*kept, found]), encoding="utf-8")


if __name__ == "__main__":
    main()
