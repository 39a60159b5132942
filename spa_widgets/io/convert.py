"""From one program's files to another's: particles, positions and micrographs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from spa_widgets.errors import UserError
from spa_widgets.io.cryosparc_write import write_cs
from spa_widgets.io.datasets import MicrographSet, ParticleSet
from spa_widgets.io.image_paths import MissingImageError
from spa_widgets.io.image_table import read_tables
from spa_widgets.io.join import join_micrographs, join_particles
from spa_widgets.io.picks import MICROGRAPH, X, Y, read_picks
from spa_widgets.io.star import write_star


def convert(inputs: Sequence[Path], output: Path, originals: Sequence[Path] = (), names_only: bool = False) -> str:
    """Write particles, positions or micrographs in another format; say what was written.

    Parameters
    ----------
    inputs : sequence of Path
        Files of particles (``.star``, ``.cs``), of micrographs, or of positions (also ``.box``, ``.csv``); several
        are joined.
    output : Path
        ``.star`` (RELION ≥ 3.1), ``.cs`` (cryoSPARC; particles only) or ``.csv`` (positions only).
    originals : sequence of Path
        For ``.cs``: datasets that the particles come from besides the input, whose other columns are kept.
    names_only : bool
        The images are elsewhere: look at none, and write their names as they are.

    Raises
    ------
    UserError
        When the files cannot be read, or do not hold what the format needs.
    """
    kind = output.suffix.lower()
    if kind not in (".star", ".cs", ".csv"):
        raise UserError(f"{output.name} names no format that is written; expected .star, .cs or .csv: rename it.")
    if output.exists():
        raise UserError(f"{output} is there already; expected a new file: remove it, or give another name.")
    if originals and kind != ".cs":
        raise UserError(f"{output.name} has no columns of cryoSPARC's; --passthrough needs a .cs: leave it out.")
    if names_only and len(inputs) > 1:
        raise UserError(
            f"{len(inputs)} files are given; with --names-only each is converted alone: names in two of them may mean "
            "different images."
        )
    try:
        return _converted(inputs, output, originals, names_only)
    except MissingImageError as error:
        raise UserError(f"{error} To convert the table without its images, add --names-only.") from error


def _converted(inputs: Sequence[Path], output: Path, originals: Sequence[Path], names_only: bool) -> str:
    kind = output.suffix.lower()
    if kind == ".star" and all(_holds(path, "micrographs", MICROGRAPH) for path in inputs):
        if names_only:
            micrographs = MicrographSet.read(inputs[0])
            said = f"{micrographs.count} micrographs"
        else:
            micrographs, said = join_micrographs(inputs, output)
        micrographs.write(output)
        return said
    if kind == ".cs" or (kind == ".star" and all(_holds(path, "particles", "rlnImageName") for path in inputs)):
        return _particles(inputs, output, originals, names_only)
    return _positions(inputs, output)


def _positions(inputs: Sequence[Path], output: Path) -> str:
    read = [read_picks(path) for path in inputs]
    picks = pd.concat([tables["particles"] for tables in read], ignore_index=True)
    if output.suffix.lower() == ".csv":
        named = picks[[MICROGRAPH, X, Y]].set_axis(["micrograph", "x", "y"], axis=1)
        named.to_csv(output, index=False)
    else:
        others = read[0] if len(read) == 1 else {}
        write_star(output, {**others, "particles": picks})
    return f"{len(picks)} positions on {picks[MICROGRAPH].nunique()} micrographs"


def _holds(path: Path, kind: str, column: str) -> bool:
    if path.suffix.lower() not in (".star", ".cs"):
        return False
    return column in read_tables(path).get(kind, pd.DataFrame())


def _particles(inputs: Sequence[Path], output: Path, originals: Sequence[Path], names_only: bool) -> str:
    if len(inputs) > 1:
        particles, said = join_particles(inputs, output)
    else:
        particles = ParticleSet.read(inputs[0])
        particles = particles if names_only else particles.with_absolute_names()
        said = f"{particles.count} particles"
    if output.suffix.lower() == ".cs":
        own = inputs if len(inputs) == 1 and inputs[0].suffix.lower() == ".cs" and "csUid" in particles.table else ()
        write_cs(output, particles, [*own, *originals], names_only)
    else:
        particles.write(output)
    return said
