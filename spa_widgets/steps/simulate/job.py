"""Simulate micrographs and write them with their truth."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine.display import bin_image, display_binning, micrograph_picture
from engine.simulation.atoms import Atoms, atoms_from_arrays
from engine.simulation.layout import MicrographTruth
from engine.simulation.micrographs import micrograph_truths, simulate_micrographs
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import density
from engine.simulation.settings import OBJECT_KINDS, MicrographSettings, box_px, preset, share_of_kinds
from spa_widgets.errors import UserError
from spa_widgets.io.atoms import read_atoms
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import write_star
from spa_widgets.session.context import JobContext
from spa_widgets.session.whole import sync
from spa_widgets.steps.simulate.params import Params

PERCENT = 100.0
PICTURE_PX = 640
LOW_PASS_A = 15.0


def run(ctx: JobContext) -> None:
    """Write micrographs, ``micrographs.star`` and the truth."""
    settings = settings_of(ctx.params)
    atoms = _atoms(ctx)
    with ctx.stage("micrographs"):
        snr = _make_micrographs(ctx, atoms, settings)
    truths = micrograph_truths(settings, ctx.rng())
    names = [str(ctx.out / "micrographs" / _file_name(i)) for i in range(settings.count)]
    truth_folder = ctx.out / "truth"
    truth_folder.mkdir()
    with ctx.stage("truth"):
        optics = _optics_table(settings)
        images = pd.DataFrame({"rlnMicrographName": names, "rlnOpticsGroup": 1})
        write_star(ctx.out / "micrographs.star", {"optics": optics, "micrographs": images})
        known = {"optics": optics, "micrographs": _micrograph_table(names, truths, snr)}
        write_star(truth_folder / "micrographs.star", known)
        objects = pd.concat([_object_table(n, t) for n, t in zip(names, truths, strict=True)], ignore_index=True)
        write_star(truth_folder / "particles.star", {"optics": optics, "particles": objects})
        box = box_px(settings)
        write_mrc(truth_folder / "map.mrc", density(atoms, box, settings.pixel_size_A), settings.pixel_size_A)
    counts = Counter(objects["spaObjectKind"])
    ctx.figure("micrographs", settings.count)
    ctx.figure("objects", len(objects))
    for kind in OBJECT_KINDS:
        ctx.figure(f"objects_{kind}", counts[kind])
    ctx.figure("atoms", atoms.count)
    ctx.figure("pixel_size_A", settings.pixel_size_A)
    ctx.figure("particle_snr", float(np.nanmean(snr)) if counts["particle"] else None)


def settings_of(params: Params) -> MicrographSettings:
    """Turn the step's parameters into the engine's settings."""
    if params.defocus_max_A < params.defocus_min_A:
        raise UserError(
            f"The largest defocus ({params.defocus_max_A:g} Å) is below the least ({params.defocus_min_A:g} Å); "
            "swap them."
        )
    settings = replace(
        preset(params.preset),
        dose_e_per_A2=params.dose_e_per_A2,
        defocus_range_A=(params.defocus_min_A, params.defocus_max_A),
        contrast=params.contrast,
        kind_fractions=share_of_kinds(params.junk_percent / PERCENT),
    )
    if params.micrographs is not None:
        settings = replace(settings, count=params.micrographs)
    if params.objects_per_micrograph is not None:
        settings = replace(settings, objects_per_micrograph=params.objects_per_micrograph)
    if params.size_px is not None:
        settings = replace(settings, shape=(params.size_px, params.size_px))
    return settings


def _atoms(ctx: JobContext) -> Atoms:
    path = ctx.optional_input("model")
    if path is None:
        return channel_in_nanodisc()
    model = read_atoms(path)
    return atoms_from_arrays(
        model.positions_A,
        model.symbols,
        model.b_factors_A2,
        model.amplitudes_A,
        model.widths_A2,
        symmetry=ctx.params.symmetry,
        expand=ctx.params.expand,
    )


def _make_micrographs(ctx: JobContext, atoms: Atoms, settings: MicrographSettings) -> np.ndarray:
    """Make the images that an earlier attempt has not made; return the particles' SNR in each."""
    kept = ctx.work / "micrographs"
    kept.mkdir(exist_ok=True)
    state = ctx.load_checkpoint() or {"done": 0, "snr": np.full(settings.count, np.nan)}
    start, snr = int(state["done"]), np.array(state["snr"])
    made = simulate_micrographs(atoms, settings, ctx.rng(), start)
    for index in range(start, settings.count):
        ctx.progress(index, settings.count, f"micrograph {index + 1} of {settings.count}")
        micrograph = next(made)
        write_mrc(kept / _file_name(index), micrograph.image, settings.pixel_size_A)
        sync(kept / _file_name(index))  # before the checkpoint says that it is there
        snr[index] = micrograph.truth.snr
        binning = display_binning(settings.shape, PICTURE_PX)
        binned = bin_image(micrograph.image, binning)
        picture = micrograph_picture(binned, settings.pixel_size_A * binning, LOW_PASS_A)
        ctx.picture("micrograph", picture, f"micrograph {index + 1}")
        ctx.save_checkpoint({"done": index + 1, "snr": snr})  # last, so that a killed job shows what it has
    ctx.progress(settings.count, settings.count, "truth")
    folder = ctx.out / "micrographs"
    folder.mkdir()
    for index in range(settings.count):
        _link(kept / _file_name(index), folder / _file_name(index))
    return snr


def _link(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the disk cannot."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _file_name(index: int) -> str:
    return f"micrograph_{index + 1:04d}.mrc"


def _optics_table(settings: MicrographSettings) -> pd.DataFrame:
    optics = settings.optics
    return pd.DataFrame(
        {
            "rlnOpticsGroup": [1],
            "rlnOpticsGroupName": ["opticsGroup1"],
            "rlnMicrographPixelSize": [settings.pixel_size_A],
            "rlnVoltage": [float(optics.voltage_kv)],
            "rlnSphericalAberration": [float(optics.cs_mm)],
            "rlnAmplitudeContrast": [float(optics.amplitude_contrast)],
            "spaDoseEPerA2": [settings.dose_e_per_A2],
        }
    )


def _micrograph_table(names: list[str], truths: list[MicrographTruth], snr: np.ndarray) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for name, truth, ratio in zip(names, truths, snr, strict=True):
        surface = {f"spaDefocusSurface{i}": c for i, c in enumerate(truth.surface_A)}
        rows.append(
            {
                "rlnMicrographName": name,
                "rlnOpticsGroup": 1,
                "rlnDefocusU": truth.defocus.u_A,
                "rlnDefocusV": truth.defocus.v_A,
                "rlnDefocusAngle": truth.defocus.angle_deg,
                "rlnPhaseShift": 0.0,
                **surface,
                "spaParticleSNR": ratio,
            }
        )
    return pd.DataFrame(rows)


def _object_table(name: str, truth: MicrographTruth) -> pd.DataFrame:
    x, y = truth.coordinates_px.T
    rot, tilt, psi = truth.angles_deg.T
    return pd.DataFrame(
        {
            "rlnMicrographName": name,
            "rlnCoordinateX": x,
            "rlnCoordinateY": y,
            "rlnOpticsGroup": 1,
            "rlnAngleRot": rot,
            "rlnAngleTilt": tilt,
            "rlnAnglePsi": psi,
            "rlnDefocusU": truth.object_defocus.u_A,
            "rlnDefocusV": truth.object_defocus.v_A,
            "rlnDefocusAngle": truth.object_defocus.angle_deg,
            "spaObjectKind": [OBJECT_KINDS[kind] for kind in truth.kinds],
            "rlnClassNumber": truth.kinds + 1,
        }
    )
