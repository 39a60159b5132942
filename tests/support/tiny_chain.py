"""The long jobs of the tutorial in a row, on so little data that each takes a second or two; and what they gave."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.simulation.movies import MovieSettings, simulate_movie
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.settings import SMALL
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.session.execute import execute
from spa_widgets.session.registry import load_steps
from spa_widgets.session.spec import JobInput, JobSpec, RawFiles, StoredFile
from spa_widgets.session.store import Store
from spa_widgets.session.stored import StoredObject

_SAYS_WHEN = ("report.json", "result.json")  # times, attempts and machine: never the same twice


@dataclass(frozen=True)
class Link:
    """One job of the chain.

    Attributes
    ----------
    step, params
        What it runs.
    inputs
        By the name of the input: the job and the file that it takes.
    takes_movies
        Whether it takes the raw movies beside the store of the chain (see `movies_of`).
    """

    step: str
    params: dict[str, Any]
    inputs: dict[str, tuple[str, str]]
    takes_movies: bool = False


_MICROGRAPHS = {"micrographs": ("estimate_ctf", "micrographs.star")}
_HALVES = {"half_a": ("refine", "half_A.mrc"), "half_b": ("refine", "half_B.mrc")}
_MOVIES, _MOVIE_PX, _FRAMES = 3, 256, 6
_OPTICS = {"pixel_size_A": SMALL.pixel_size_A, "voltage_kv": 300.0, "cs_mm": 1.6}
CHAIN = (
    Link("correct_motion", {**_OPTICS, "dose_e_per_A2": 60.0, "patches": 2}, {}, takes_movies=True),
    Link("simulate", {"micrographs": 4, "size_px": 512, "objects_per_micrograph": 16, "junk_percent": 10.0}, {}),
    Link("estimate_ctf", {"fit_patches": False}, {"micrographs": ("simulate", "micrographs.star")}),
    Link("pick_blobs", {"low_pass_A": 30.0}, _MICROGRAPHS),
    Link("extract", {"crop_px": 24, "pad": True}, {**_MICROGRAPHS, "picks": ("simulate", "truth/particles.star")}),
    Link(
        "classify_2d",
        {"classes": 3, "iterations": 8, "max_resolution_A": 20.0, "shift_range_A": 10.0},
        {"particles": ("extract", "particles.star")},
    ),
    Link(
        "pick_templates",
        {"low_pass_A": 30.0, "angle_step_deg": 30.0},
        {**_MICROGRAPHS, "templates": ("classify_2d", "class_averages.mrcs")},
    ),
    Link(
        "initial_model",
        {
            "starts": 2,
            "start_iterations": 2,
            "iterations": 5,
            "start_resolution_A": 60.0,
            "final_resolution_A": 45.0,
            "batch_first": 20,
            "batch_last": 30,
        },
        {"particles": ("extract", "particles.star")},
    ),
    Link(
        "refine",
        {"max_iterations": 5, "coarse_step_deg": 15.0, "mask_diameter_A": 160.0},
        {"particles": ("extract", "particles.star"), "volume": ("initial_model", "volume_1.mrc")},
    ),
    Link("local_resolution", {}, _HALVES),
)
STEPS = tuple(link.step for link in CHAIN)


def run_chain(store: Store, on_event: Callable[[dict[str, Any]], None] = lambda event: None) -> dict[str, str]:
    """Run all jobs on the CPU; return their keys by step."""
    load_steps()
    keys: dict[str, str] = {}
    for link in CHAIN:
        keys[link.step] = execute(spec(link.step, keys, store), store, "cpu", on_event)
    return keys


def spec(step: str, keys: dict[str, str], store: Store) -> JobSpec:
    """Return the specification of one job, given the keys of those before it, and the store beside the movies."""
    link = CHAIN[STEPS.index(step)]
    inputs: dict[str, JobInput] = {name: StoredFile(keys[job], file) for name, (job, file) in link.inputs.items()}
    if link.takes_movies:
        inputs["movies"] = RawFiles(movies_of(store))
    return JobSpec(step, link.params, inputs)


def movies_of(store: Store) -> tuple[Path, ...]:
    """Return the movies that lie beside a store; simulated when they are not there, always the same."""
    folder = store.path / "movies"
    paths = tuple(folder / f"movie_{index}.mrcs" for index in range(_MOVIES))
    folder.mkdir(exist_ok=True)
    settings = replace(SMALL, shape=(_MOVIE_PX, _MOVIE_PX), objects_per_micrograph=3, dose_e_per_A2=60.0, margin_A=60.0)
    for index, path in enumerate(paths):
        if not path.exists():
            rng = np.random.default_rng([11, index])
            movie = simulate_movie(channel_in_nanodisc(), settings, MovieSettings(_FRAMES), 11000.0, rng)
            part = path.with_name(f".{path.name}.{os.getpid()}.mrcs")
            write_mrc(part, np.stack(list(movie.frames)), SMALL.pixel_size_A, is_stack=True)
            part.replace(path)
    return paths


def without(store: Store, key: str, folder: Path) -> Path:
    """Make a store that has all results of another one but one, to compute that again; return its folder."""
    for found in set(store.keys()) - {key}:
        place = folder / "objects" / found[:2] / found
        place.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(store.object_path(found), place)
    (folder / "objects").mkdir(parents=True, exist_ok=True)
    return folder


def content(found: StoredObject, *stores: Path) -> dict[str, str]:
    """Return SHA-256 of each file of a result, with figures and warnings; the places of the stores do not count."""
    hashes = {}
    for name, path in found.files.items():
        if name not in _SAYS_WHEN:
            held = _unpacked(path) if path.suffix == ".npz" else path.read_bytes()
            for store in sorted(stores, key=lambda store: -len(str(store))):
                held = held.replace(str(store).encode(), b"STORE")
            hashes[name] = hashlib.sha256(held).hexdigest()
    said = {name: found.result[name] for name in ("figures", "warnings")}
    return {**hashes, "said": str(sorted(said["figures"].items())) + str(sorted(said["warnings"]))}


def _unpacked(path: Path) -> bytes:
    """Return the arrays of a packed file, whose texts may name the store."""
    with np.load(path, allow_pickle=False) as arrays:
        parts = []
        for name, array in sorted(arrays.items()):
            values = str(array.tolist()).encode() if array.dtype.kind == "U" else array.tobytes()
            parts.append(f"{name} {array.dtype.kind} {array.shape} ".encode() + values)
    return b"\n".join(parts)
