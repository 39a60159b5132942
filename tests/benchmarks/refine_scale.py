"""What an iteration of refinement costs from a thousand to a hundred thousand particles.

``python -m tests.benchmarks.refine_scale [COUNT …]`` prints a row for each number, measured in a process of its own.
The images are those of `tests.benchmarks.full_classes`, on disk; their junk costs as much as particles do.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time

import numpy as np

from engine.refinement.refine import refine
from engine.refinement.state import RefinementOptions
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import density
from tests.benchmarks.data import DIAMETER_A, SYMMETRY
from tests.benchmarks.full_classes import BOX_PX, PIXEL_A, classified_set
from tests.benchmarks.run import REPOSITORY, THREAD_VARIABLES

_COUNTS = ("1000", "10000", "100000")
_ITERATIONS = 2  # from the reference at 30 Å: the first over all orientations, the second about those found
HEAD = (
    "| particles | images on disk, MB | CPU s of two iterations | ms a particle | "
    "peak MB, mapped images included | private MB at the end |"
)


def row(count: int) -> str:
    """Refine for two iterations from the truth at 30 Å; return a row of the table."""
    particles = classified_set(count).particles
    truth = density(channel_in_nanodisc(), BOX_PX, PIXEL_A)
    options = RefinementOptions(symmetry=SYMMETRY, mask_diameter_A=DIAMETER_A)
    started = time.process_time()
    for state in refine(particles, 1 + np.arange(count) % 2, truth, options, np.random.default_rng(0)):
        print(f"  {count}: iteration {state.iteration}, {state.resolution_A:.1f} Å, "
              f"{time.process_time() - started:.0f} CPU s", file=sys.stderr, flush=True)  # fmt: skip
        if state.iteration == _ITERATIONS:
            break
    seconds = time.process_time() - started
    peak_MB = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    disk_MB = count * BOX_PX**2 * 4 / 1e6
    each_ms = 1e3 * seconds / count
    return f"| {count:,} | {disk_MB:.0f} | {seconds:.0f} | {each_ms:.1f} | {peak_MB:.0f} | {_private_MB():.0f} |"


def _private_MB() -> float:
    """Memory of this process that is no file: pages of mapped images are given back when memory is short."""
    with open("/proc/self/status", encoding="utf-8") as lines:
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


def main() -> None:
    """Print the table; with one number its row alone."""
    counts = sys.argv[1:] or list(_COUNTS)
    if len(counts) == 1:
        print(row(int(counts[0])))
        return
    print(HEAD, "|---" * (HEAD.count("|") - 1) + "|", sep="\n", flush=True)
    one_thread = os.environ | dict.fromkeys(THREAD_VARIABLES, "1")
    for count in counts:
        command = [sys.executable, "-m", "tests.benchmarks.refine_scale", count]
        subprocess.run(command, cwd=REPOSITORY, env=one_thread, check=True)


if __name__ == "__main__":
    main()
