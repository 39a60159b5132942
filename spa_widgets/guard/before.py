"""What looks wrong before a step runs, from a small part of its data: seconds at most, whatever the size of the set.

The steps look at the same facts again when they run, with more of the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from spa_widgets.errors import UserError
from spa_widgets.guard.extraction import extraction_findings
from spa_widgets.guard.finding import Finding
from spa_widgets.guard.microscope import micrograph_warnings, optics_warnings
from spa_widgets.guard.particles import particle_warnings
from spa_widgets.guard.picks import template_warnings
from spa_widgets.guard.references import half_map_findings, reference_findings
from spa_widgets.io.datasets import MicrographSet, ParticleSet
from spa_widgets.io.mrc import mrc_pixel_size_A, mrc_shape, read_mrc

Files = Mapping[str, Sequence[Path]]
Check = Callable[[Any, Files], Iterable[Finding]]

_MOST_HEADERS = 60
_MOST_IMAGES, _FEWEST_IMAGES, _USUAL_BOX_PX = 96, 16, 100
_MOST_TABLE_BYTES = 300_000_000
_FEW_REMEMBERED = 32


def findings_before(step: str, params: Any, files: Files) -> list[Finding]:
    """Return what looks wrong about a job that is not asked for yet.

    Parameters
    ----------
    step : str
        Name of the step.
    params : StepParams
        Its valid parameters.
    files : mapping
        Files of each input that is there; what is missing or cannot be read is left to the step.
    """
    found = _findings(CHECKS.get(step, ()), params, files)
    known = set(type(params).model_fields)
    return [each if set(each.fix) <= known else each.without_fix() for each in found]


def findings_at_start(step: str, params: Any, files: Files) -> list[Finding]:
    """Return what looks wrong about a job that begins, for those who saw no form: what the job does not tell itself.

    Parameters are those of `findings_before`.
    """
    return _findings(_UNSAID_BY_JOBS.get(step, ()), params, files)


def _findings(checks: Iterable[Check], params: Any, files: Files) -> list[Finding]:
    found: list[Finding] = []
    for check in checks:
        try:
            for each in check(params, files):  # what was told before something could not be read stays
                if each not in found:
                    found.append(each)
        except (UserError, ValueError, OSError):
            continue
    return found


def _spread(files: Sequence[Path]) -> Sequence[Path]:
    """Return some files, evenly over all."""
    return files[:: -(-len(files) // _MOST_HEADERS)] if files else files


def _image_files(name: str) -> Check:
    return lambda params, files: _headers(files.get(name, ()), params.pixel_size_A)


def _headers(paths: Sequence[Path], pixel_size_A: float) -> Iterator[Finding]:
    """Hold the headers of some images against the pixel size that they should have."""
    readable, shapes, sizes_A = [], [], []
    for path in _spread(paths):
        try:
            shape = mrc_shape(path)
            sizes_A.append(mrc_pixel_size_A(path))
        except (UserError, OSError):  # another format, or the step says so
            continue
        readable.append(path)
        shapes.append((shape[-2], shape[-1]))
    if readable:
        yield from micrograph_warnings(readable, shapes, sizes_A, pixel_size_A)


def _constants(params: Any, files: Files) -> Iterable[Finding]:
    return optics_warnings(params.voltage_kv, params.cs_mm, params.amplitude_contrast)


def _micrographs(params: Any, files: Files) -> Iterator[Finding]:
    (path,) = files.get("micrographs", ())
    micrographs = MicrographSet.read(path)
    optics = micrographs.optics
    constants = np.stack([optics.voltage_kv, optics.cs_mm, optics.amplitude_contrast], axis=1)
    for each in np.unique(constants, axis=0):
        yield from optics_warnings(*(float(value) for value in each))
    sizes_A = micrographs.pixel_sizes_A
    for size_A in np.unique(sizes_A):
        paths = [micrographs.image_path(int(index)) for index in np.flatnonzero(sizes_A == size_A)]
        yield from _headers(paths, float(size_A))


def _templates(params: Any, files: Files) -> Iterable[Finding]:
    (path,) = files.get("templates", ())
    averages = read_mrc(path)[0]
    return template_warnings(averages[None] if averages.ndim == 2 else averages)


def _extraction(params: Any, files: Files) -> Iterable[Finding]:
    (micrographs,), (picks,) = files.get("micrographs", ()), files.get("picks", ())
    asked = (params.box_px, params.crop_px, params.diameter_A, params.invert)
    return _extraction_of(*_state(micrographs), *_state(picks), *asked)


@lru_cache(_FEW_REMEMBERED)
def _extraction_of(micrographs: Path, _when: int, picks: Path, _picked: int, *asked: Any) -> list[Finding]:
    return list(extraction_findings(micrographs, picks, *asked))


def _particles(params: Any, files: Files) -> Iterable[Finding]:
    (path,) = files.get("particles", ())
    return _particles_of(*_state(path), params.mask_diameter_A)


@lru_cache(_FEW_REMEMBERED)
def _particles_of(path: Path, _when: int, diameter_A: float | None) -> list[Finding]:
    if path.stat().st_size > _MOST_TABLE_BYTES:
        return []
    dataset = ParticleSet.read(path)
    box_px = dataset.to_engine().box_px
    most = int(min(max(_MOST_IMAGES * (_USUAL_BOX_PX / box_px) ** 2, _FEWEST_IMAGES), _MOST_IMAGES))
    return particle_warnings(dataset, diameter_A, most)


def _reference(params: Any, files: Files) -> Iterable[Finding]:
    return _looks_of_reference(files, params.symmetry if params.align_symmetry else "C1")


def _looks_of_reference(files: Files, symmetry: str = "C1") -> Iterable[Finding]:
    (volume,), (particles,) = files.get("volume", ()), files.get("particles", ())
    return _reference_of(*_state(volume), *_state(particles), symmetry)


@lru_cache(_FEW_REMEMBERED)
def _reference_of(volume: Path, _when: int, particles: Path, _picked: int, symmetry: str) -> list[Finding]:
    images = ParticleSet.read(particles).to_engine()
    return list(reference_findings(volume, images.box_px, images.pixel_size_A, symmetry))


def _halves(params: Any, files: Files) -> Iterable[Finding]:
    (first,), (second,) = files.get("half_a", ()), files.get("half_b", ())
    return _halves_of(*_state(first), *_state(second))


@lru_cache(_FEW_REMEMBERED)
def _halves_of(first: Path, _when: int, second: Path, _then: int) -> list[Finding]:
    return list(half_map_findings(first, second))


def _state(path: Path) -> tuple[Path, int]:
    """Return a file and when it was changed: what is known of it holds as long as these."""
    return path, path.stat().st_mtime_ns


CHECKS: dict[str, tuple[Check, ...]] = {
    "import_micrographs": (_image_files("files"), _constants),
    "correct_motion": (_image_files("movies"), _constants),
    "estimate_ctf": (_micrographs,),
    "pick_blobs": (_micrographs,),
    "pick_templates": (_micrographs, _templates),
    "extract": (_micrographs, _extraction),
    "classify_2d": (_particles,),
    "initial_model": (_particles,),
    "refine": (_particles, _reference),
    "fsc": (_halves,),
    "local_resolution": (_halves,),
}
# the jobs say the rest themselves, from more of the data: a refinement for instance of its reference's symmetry
_UNSAID_BY_JOBS: dict[str, tuple[Check, ...]] = {
    "refine": (lambda params, files: _looks_of_reference(files),),
    "fsc": (_halves,),
    "local_resolution": (_halves,),
}
