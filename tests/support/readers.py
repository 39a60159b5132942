"""Every reader of files from elsewhere, by the kind of file: what fuzzing and property tests feed."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spa_widgets.errors import UserError
from spa_widgets.guard.particles import particle_warnings
from spa_widgets.io.archives import unpack
from spa_widgets.io.atoms import read_atoms
from spa_widgets.io.bundle import BundleFile
from spa_widgets.io.bundle.reader import _opened
from spa_widgets.io.coordinates import read_box, read_csv
from spa_widgets.io.cryosparc import read_cs
from spa_widgets.io.curves import read_fsc_csv
from spa_widgets.io.datasets import MicrographSet, ParticleSet
from spa_widgets.io.fetch import read_manifest
from spa_widgets.io.movies import open_movie, read_gain
from spa_widgets.io.mrc import mrc_shape, read_mrc, read_mrc_slices
from spa_widgets.io.npz import read_npz
from spa_widgets.io.picks import read_picks
from spa_widgets.io.star import read_star

_MOST_UNPACKED = 1_000_000


def _guarded(path: Path) -> Any:
    """Everything that is done with a table before its images are looked at; the guard itself never fails."""
    particles = ParticleSet.read(path)
    particle_warnings(particles, 100.0)
    return particles.to_engine()


def _poses(path: Path) -> Any:
    return ParticleSet.read(path).poses()


def _unpack(path: Path) -> list[Path]:
    folder = path.parent / "unpacked"
    folder.mkdir(exist_ok=True)
    files = unpack(path, folder, _MOST_UNPACKED)
    assert all(file.resolve().is_relative_to(folder.resolve()) for file in files)
    return files


def _movie(path: Path) -> int:
    return sum(frame.size for frame in open_movie(path, path.parent / "scratch", eer_fractions=2).frames())


def _bundle(path: Path) -> None:
    _opened.cache_clear()  # files that are written within a tick of the clock look the same to it
    BundleFile.open(path).verify()


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes
    ----------
    suffix
        Ending of its names.
    readers
        Functions of a path that read it.
    wrap
        What is done to content before it is written.
    """

    suffix: str
    readers: tuple[Callable[[Path], Any], ...]
    wrap: Callable[[bytes], bytes] = bytes


_MRC = (read_mrc, mrc_shape, lambda path: read_mrc_slices(path, [0, 1]))
_STAR = (read_star, _guarded, _poses, MicrographSet.read, read_picks)

KINDS: dict[str, Kind] = {
    "mrc": Kind(".mrc", _MRC),
    "mrcs": Kind(".mrcs", _MRC),
    "gzip": Kind(".map.gz", _MRC),
    "mrc in gzip": Kind(".mrc.gz", _MRC, lambda content: gzip.compress(content, 1)),
    "bzip2": Kind(".mrc.bz2", _MRC),
    "mrc in bzip2": Kind(".mrc.bz2", _MRC, bz2.compress),
    "star": Kind(".star", _STAR),
    "cs": Kind(".cs", (read_cs, _guarded)),
    "box": Kind(".box", (read_box, read_picks)),
    "csv": Kind(".csv", (read_csv, read_picks)),
    "curves": Kind(".csv", (read_fsc_csv,)),
    "pdb": Kind(".pdb", (read_atoms,)),
    "cif": Kind(".cif", (read_atoms,)),
    "npz": Kind(".npz", (read_npz,)),
    "tar": Kind(".tar", (_unpack,)),
    "tif": Kind(".tif", (_movie, read_gain)),
    "eer": Kind(".eer", (_movie, read_gain)),
    "gain": Kind(".gain", (read_gain,)),
    "tif in gzip": Kind(".tif.gz", (_movie,), lambda content: gzip.compress(content, 1)),
    "packed tif": Kind(".tif.bz2", (_movie,)),
    "bundle": Kind(".spa", (_bundle,)),
    "manifest": Kind("", (lambda path: read_manifest(path.parent),)),
}


def in_one_sentence(reader: Callable[[Path], Any], path: Path) -> None:
    """Read a file; a `UserError` of one sentence is a good answer, every other error is not."""
    try:
        with np.errstate(all="ignore"):
            reader(path)
    except UserError as error:
        sentence = str(error)
        assert 20 < len(sentence) < 700 and len(sentence.splitlines()) == 1, sentence
