"""The page of figures on refinement, ``docs/benchmarks/refine.md``, from what `tests.benchmarks.refine_table` keeps."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np

from tests.benchmarks.refine_junk import section
from tests.benchmarks.refine_sets import BOXES, CHOSEN_ON, FULL, HELD, LINEAR, SETS
from tests.benchmarks.report import table
from tests.benchmarks.run import REPOSITORY

PAGE = REPOSITORY / "docs" / "benchmarks" / "refine.md"
_GROUPS = {
    CHOSEN_ON: "Sets that methods were chosen on",
    HELD: "Sets held out: structures that nothing was chosen on",
    FULL: "The size of the workshop",
    BOXES: "Odd boxes, large boxes, stacks of half precision",
    LINEAR: "More particles",
}
_HEAD = """| set | version | symmetry | particles | box | SNR | iterations | CPU s | peak MB | reported, Å \
| halves 0.143, Å | truth 0.5, Å | ratio | missing | pose error, ° | beyond 10° |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"""


def _row(found: dict[str, Any]) -> str:
    made = SETS[found["set"]]
    name = f"{made.name}, seed {found['seed']}" if found.get("seed") else made.name
    snr = "real" if made.real else f"{made.snr:g}"
    memory = f"{found['peak_MB']:.0f}" if "peak_MB" in found else "–"
    halves = "– | {truth_A:.2f} | – | –"
    if "same_mask_A" in found:
        missing = "–" if _ends_at_nyquist(found) else f"{found['missing']:+.3f}"
        halves = "{same_mask_A:.2f} | {truth_A:.2f} | " + f"{_ratio(found):.3f} | {missing}"
    poses = f"{found['median_deg']:.2f} | {100 * found['lost']:.1f} %" if "lost" in found else "– | –"
    return (
        f"| {name} | {found['version']} | {made.symmetry} | {made.count} | "
        f"{made.box_px}² × {made.pixel_size_A:g} Å | {snr} | {found['iterations']} | "
        f"{found['cpu_s']:.0f} | {memory} | {found['half_maps_A']:.2f} | {halves.format(**found)} | {poses} |"
    )


def _ratio(found: dict[str, Any]) -> float:
    return float(found["truth_A"] / found["same_mask_A"])


def _ends_at_nyquist(found: dict[str, Any]) -> bool:
    made = SETS[found["set"]]
    return bool(found["same_mask_A"] < 1.03 * 2 * made.pixel_size_A * made.enlarged)


def _section(group: str, kept: dict[str, dict[str, Any]]) -> str:
    rows = [found for name, found in kept.items() if SETS[found["set"]].group == group and not found.get("seed")]
    rows.sort(key=lambda found: list(SETS).index(found["set"]))
    if not rows:
        return ""
    return f"## {_GROUPS[group]}\n\n" + "\n".join([_HEAD, *map(_row, rows)]) + "\n\n" + _linear(group, kept)


def _honesty(kept: dict[str, dict[str, Any]]) -> str:
    """Sets made once more with fresh seeds, and what all rows together say of the halves' claim."""
    fresh = [found for _, found in sorted(kept.items()) if found.get("seed")]
    judged = [found for found in kept.values() if "same_mask_A" in found and not _ends_at_nyquist(found)]
    if not fresh:
        return ""
    ratios = np.array([_ratio(found) for found in judged])
    missing = np.array([found["missing"] for found in judged])
    near = int(np.sum(np.abs(ratios - 1) <= 0.07))
    said = (
        f"Of the {len(judged)} rows of this page that tell a ratio and end before Nyquist, {near} are within 7 % of 1; "
        f"the median is {np.median(ratios):.3f}. What is missing from the correlation with truth is "
        f"{missing.mean():+.3f} on average ({missing.min():+.3f} to {missing.max():+.3f})."
    )
    return "## Fresh seeds\n\n" + "\n".join([_HEAD, *map(_row, fresh)]) + f"\n\n{said}\n\n"


def _linear(group: str, kept: dict[str, dict[str, Any]]) -> str:
    """What a straight line through the measured costs says of more particles."""
    names = [name for name, made in SETS.items() if made.group == LINEAR and name in kept]
    if group != LINEAR or len(names) < 2:
        return ""
    counts = np.array([SETS[name].count for name in names])
    each = np.array([kept[name]["cpu_s"] / kept[name]["iterations"] for name in names])
    slope, start = np.polyfit(counts, each, 1, w=1 / each)
    modelled = ", ".join(f"{n:,} particles {start + slope * n:,.0f} s" for n in (100_000, 1_000_000))
    return (
        f"An iteration takes {start:.1f} s and {1e3 * slope:.2f} ms a particle by a straight line through these; "
        f"the same line gives (modelled, not measured) {modelled} an iteration.\n\n"
    )


def write_page(kept: dict[str, dict[str, Any]], peer: list[dict[str, Any]]) -> None:
    """Write the page.

    Parameters
    ----------
    kept : dict
        Figures of each set.
    peer : list
        Rows of the benchmark ``refine`` (`tests.benchmarks.run`), where it has been run.
    """
    sections = "".join(_section(group, kept) for group in _GROUPS) + _honesty(kept) + section()
    compared = f"## Against RELION 3.1.3 in the same run\n\n```\n{table(peer)}\n```\n" if peer else ""
    text = f"""# Refinement against truth

Made by `python -m tests.benchmarks.refine_table SET …`, last on {datetime.now(UTC):%Y-%m-%d}, {platform.machine()},
Python {platform.python_version()}, numpy {version("numpy")}, one thread, on a machine that was busy with other work
(which makes CPU seconds longer). Refinement with default settings from the truth low-passed to 30 Å; simulated
particles of 0.8–2.2 µm whose centres are wrong by up to 2 px.

- *Reported* is what the step says: 0.143 of the half maps inside its own mask, corrected for it.
- The two figures after it are in one and the same mask, about the true map: where the corrected curve of the halves
  drops below 0.143, and where that of their mean with truth drops below 0.5. Independent halves of correlation c
  promise a map that correlates with truth as √(2c/(1+c)), so the *ratio* of the two should be 1. Curves of few
  particles scatter by some hundredths from shell to shell, more where symmetry makes coefficients alike: one that runs
  level near its threshold may cross it anywhere there.
- *Missing* is the mean of what is promised less what is there, over the shells from 0.8 to 0.143 of the halves:
  positive where halves agree on what is not true.
- Pose errors are medians over all particles, after the map's own turn is taken away.
- CPU seconds are those of the refinement alone; the memory is the largest of the whole process, images included.
- The version is that of the step that was measured: rows of older ones have not been measured again.

{sections}{compared}"""
    PAGE.write_text(text.rstrip() + "\n", encoding="utf-8")
