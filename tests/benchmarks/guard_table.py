"""How often the guard speaks of good data, and of data with one mistake in them.

``python -m tests.benchmarks.guard_table``, about a minute of CPU. Judged are simulated particles of the built-in
channel at three signal-to-noise ratios, two samplings and several seeds, the same with each mistake, and the real
particles of ../shared/data where these are there.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from bad_input import particle_table

from engine.optics import Optics
from engine.simulation.particles import simulate_particles
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import density
from spa_widgets.guard.finding import Finding
from spa_widgets.guard.particles import particle_warnings
from spa_widgets.guard.references import reference_findings
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.mrc_write import write_mrc

COUNT, SEEDS, DIAMETER_A = 150, 4, 160.0
Table = tuple[pd.DataFrame, pd.DataFrame]
SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def _scaled(*names: str, by: float) -> Callable[[Table], Table]:
    return lambda tables: (tables[0], tables[1].assign(**{name: tables[1][name] * by for name in names}))


def _optics(**values: float) -> Callable[[Table], Table]:
    return lambda tables: (tables[0].assign(**values), tables[1])


def _black(tables: Table) -> Table:
    return tables[0], tables[1].assign(spaImageSign=-1)  # the images are white


def _leaked(tables: Table) -> Table:
    names = tables[1]["rlnImageName"].to_numpy().copy()
    names[:6:2] = names[1:6:2]
    return tables[0], tables[1].assign(rlnImageName=names)


def _binned(factor: float) -> Callable[[Table], Table]:
    return lambda tables: (tables[0].assign(rlnImagePixelSize=tables[0]["rlnImagePixelSize"] * factor), tables[1])


DEFOCI, POSES = ("rlnDefocusU", "rlnDefocusV"), ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
MISTAKES: dict[str, tuple[Callable[[Table], Table], set[str]]] = {
    "contrast is inverted": (_black, {"black"}),
    "pixel size is half": (_binned(0.5), {"size", "stack_header"}),
    "pixel size is twice": (_binned(2.0), {"size", "stack_header"}),
    "defocus in nm": (_scaled(*DEFOCI, by=0.1), {"defocus_unit"}),
    "defocus in µm": (_scaled(*DEFOCI, by=1e-4), {"defocus_unit"}),
    "defocus is negative": (_scaled(*DEFOCI, by=-1.0), {"defocus_negative"}),
    "angles in radians": (_scaled(*POSES, by=np.pi / 180), {"radians_poses"}),
    "half sets share particles": (_leaked, {"leaked"}),
    "Cs is 0.27 mm": (_optics(rlnSphericalAberration=0.27), {"cs"}),
    "voltage is 30 kV": (_optics(rlnVoltage=30.0), {"voltage"}),
    "amplitude contrast is 0.7": (_optics(rlnAmplitudeContrast=0.7), {"amplitude_contrast"}),
    "defocus of 6 µm, box of 1.4 diameters": (_scaled(*DEFOCI, by=5.0), {"aliased"}),
}


def _keys(found: list[Finding]) -> set[str]:
    return {each.key for each in found}


def _spoilt(good: ParticleSet, spoil: Callable[[Table], Table]) -> ParticleSet:
    optics, rows = spoil((good.optics_table, good.table))
    return ParticleSet(rows, optics, good.path)


def _sets(folder: Path) -> list[tuple[str, ParticleSet]]:
    made = []
    for box_px, pixel_A in ((64, 3.5), (48, 4.6)):
        for snr in (0.3, 0.1, 0.05):
            for seed in range(SEEDS):
                name = f"{box_px}-{snr}-{seed}"
                rng = np.random.default_rng([seed, box_px])
                images, truth = simulate_particles(
                    channel_in_nanodisc(), COUNT, box_px, pixel_A, Optics(300.0, 1.6, 0.1), (8000, 16000), snr, rng, 0.2
                )
                write_mrc(folder / f"{name}.mrcs", images, pixel_A, is_stack=True)
                optics = {"rlnOpticsGroup": [1], "rlnImagePixelSize": [pixel_A], "rlnImageSize": [box_px]}
                optics |= {"rlnVoltage": [300.0], "rlnSphericalAberration": [1.6], "rlnAmplitudeContrast": [0.1]}
                table = particle_table(truth, f"{name}.mrcs", "a.mrc")
                made.append((name, ParticleSet(table, pd.DataFrame(optics), folder / f"{name}.star")))
    return made


def main() -> None:
    """Print the table."""
    begun = time.process_time()
    caught: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    false: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        sets = _sets(folder)
        for _, good in sets:
            false.update(_keys(particle_warnings(good, DIAMETER_A)))
            for name, (spoil, keys) in MISTAKES.items():
                bad = _spoilt(good, spoil)
                found = _keys(particle_warnings(bad, DIAMETER_A))
                caught[name] += bool(found & keys)
                alone[name] += bool(found & keys - {"stack_header"})
        print(f"good sets: {len(sets)}, false alarms: {dict(false) or 0}", flush=True)
        for name in MISTAKES:
            more = f" (without the header: {alone[name]})" if alone[name] != caught[name] else ""
            print(f"{name}: caught {caught[name]} of {len(sets)}{more}", flush=True)
        volume = density(channel_in_nanodisc(), 64, 3.5)
        write_mrc(folder / "map.mrc", volume, 3.5)
        for symmetry in ("C8", "C4", "C7", "C1"):
            print(
                symmetry, _keys(list(reference_findings(folder / "map.mrc", 64, 3.5, symmetry))) or "silent", flush=True
            )
    for path in (SHARED / "betagal" / "particles_dev.star", SHARED / "formats" / "empiar_10076_7.star"):
        if path.exists():
            print(path.name, _keys(particle_warnings(ParticleSet.read(path), 180.0)) or "silent", flush=True)
    print(f"{time.process_time() - begun:.0f} s of CPU")


if __name__ == "__main__":
    main()
