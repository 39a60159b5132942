"""Small but real files for the widgets: micrographs, picks with scores, classes, CTF fits, FSC curves, a map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from engine.geometry import matrix_to_euler, random_rotations
from engine.simulation.phantom import channel
from engine.simulation.projection import density
from engine.validation.fsc import fsc_curves
from spa_widgets.io.curves import write_fsc_csv
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import read_star, write_star

PIXEL_A = 2.464
SIDE = 256
MICROGRAPHS = 3


def optics_table() -> pd.DataFrame:
    """One optics group."""
    return pd.DataFrame(
        {
            "rlnOpticsGroup": [1],
            "rlnOpticsGroupName": ["opticsGroup1"],
            "rlnMicrographPixelSize": [PIXEL_A],
            "rlnVoltage": [300.0],
            "rlnSphericalAberration": [1.6],
            "rlnAmplitudeContrast": [0.1],
        }
    )


def particle_positions() -> list[tuple[int, int]]:
    """Where the dark discs lie on every micrograph."""
    return [(64, 64), (192, 64), (64, 192), (192, 192), (128, 128)]


def make_micrographs(folder: Path, hostile: bool = False) -> Path:
    """Write micrographs with dark discs at known places; gives micrographs.star with defocus."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    table = []
    for number in range(MICROGRAPHS):
        image = rng.normal(0, 1, (SIDE, SIDE)).astype(np.float32)
        for x, y in particle_positions():
            image[(rows - y) ** 2 + (columns - x) ** 2 < 14**2] -= 2.0
        name = f"<img src=x onerror=alert({number})>.mrc" if hostile and number == 0 else f"mic_{number + 1:04d}.mrc"
        write_mrc(folder / name, image, PIXEL_A)
        defocus = 10000.0 + 3000 * number
        table.append(
            {
                "rlnMicrographName": str(folder / name),
                "rlnOpticsGroup": 1,
                "rlnDefocusU": defocus + 100,
                "rlnDefocusV": defocus - 100,
                "rlnDefocusAngle": 30.0,
                "rlnPhaseShift": 0.0,
                "rlnCtfFigureOfMerit": 0.2,
                "rlnCtfMaxResolution": 4.0 + 3 * number,
            }
        )
    star = folder / "micrographs.star"
    write_star(star, {"optics": optics_table(), "micrographs": pd.DataFrame(table)})
    return star


def make_spectra(star: Path) -> None:
    """Write spectra.npz beside micrographs.star, as the CTF estimation does."""
    frequency = np.tile(np.linspace(0.01, 0.2, 60, dtype=np.float32), (MICROGRAPHS, 1))
    fit = np.sin(40 * frequency) ** 2
    curves = {"spectrum": fit + 0.05, "background": 0 * fit, "fit": fit, "cross_correlation": np.exp(-10 * frequency)}
    pictures = np.random.default_rng(1).integers(0, 255, (MICROGRAPHS, 256, 256)).astype(np.uint8)
    np.savez_compressed(
        star.parent / "spectra.npz",
        names=np.array([f"mic_{i}" for i in range(MICROGRAPHS)]),
        frequency_per_A=frequency,
        pictures=pictures,
        picture_step_per_A=np.full(MICROGRAPHS, 0.0015),
        **{name: curve.astype(np.float16) for name, curve in curves.items()},
    )


def make_picks(star: Path) -> Path:
    """Write picks.star: on every micrograph 5 good picks (NCC 0.5, power 2) and 20 bad ones (NCC 0.1, power 1 or 9)."""
    rng = np.random.default_rng(3)
    rows = []
    for number in range(MICROGRAPHS):
        name = str(star.parent / f"mic_{number + 1:04d}.mrc")
        good = [(x, y, 0.5, 2.0) for x, y in particle_positions()]
        bad = [(*rng.uniform(20, 236, 2), 0.1 if i % 2 else 0.5, 1.0 if i % 2 else 9.0) for i in range(20)]
        rows += [(name, *pick) for pick in good + bad]
    columns = ["rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit", "spaPickPower"]
    write_star(star.parent / "picks.star", {"particles": pd.DataFrame(rows, columns=columns)})
    return star.parent / "picks.star"


def make_classes(folder: Path, count: int = 6) -> Path:
    """Write class averages; class k (from 1) has 100 k particles, k + 4 Å and k / 2 + 0.5 effective classes."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[:32, :32] - 16
    rings = [np.exp(-(((np.hypot(rows, columns) - 2 * k) / 2) ** 2)) for k in range(1, count + 1)]
    write_mrc(folder / "class_averages.mrcs", np.array(rings, np.float32), PIXEL_A, is_stack=True)
    number = np.arange(1, count + 1)
    table = {
        "class": number,
        "count": 100 * number,
        "resolution_A": number + 4.0,
        "effective_classes": number / 2 + 0.5,
    }
    pd.DataFrame(table).to_csv(folder / "classes.csv", index=False)
    return folder


def add_members(folder: Path, count: int = 60, box_px: int = 32) -> None:
    """Write the particles of classes 1 and 2: a spot 6 px right of the middle, moved and turned."""
    rng = np.random.default_rng(5)
    psi, shift = rng.uniform(-180, 180, count), rng.uniform(-3, 3, (count, 2))
    rows, columns = np.mgrid[:box_px, :box_px] - box_px // 2
    x, y = 6 * np.cos(np.radians(psi)) - shift[:, 0], -6 * np.sin(np.radians(psi)) - shift[:, 1]
    distance = (columns - x[:, None, None]) ** 2 + (rows - y[:, None, None]) ** 2
    images = np.exp(-distance / 8) + rng.normal(0, 0.05, distance.shape)
    write_mrc(folder / "particles.mrcs", images.astype(np.float32), PIXEL_A, is_stack=True)
    table = pd.DataFrame(
        {
            "rlnImageName": [f"{i + 1:06d}@particles.mrcs" for i in range(count)],
            "rlnOpticsGroup": 1,
            "rlnAngleRot": 0.0,
            "rlnAngleTilt": 0.0,
            "rlnAnglePsi": psi,
            "rlnOriginXAngst": shift[:, 0] * PIXEL_A,
            "rlnOriginYAngst": shift[:, 1] * PIXEL_A,
            "rlnDefocusU": 15000.0,
            "rlnDefocusV": 15000.0,
            "rlnDefocusAngle": 0.0,
            "rlnClassNumber": 1 + np.arange(count) % 2,
            "rlnMaxValueProbDistribution": rng.uniform(0.2, 1, count),
        }
    )
    optics = optics_table().assign(rlnImagePixelSize=PIXEL_A, rlnImageSize=box_px, rlnImageDimensionality=2)
    write_star(folder / "particles.star", {"optics": optics, "particles": table})


def make_fsc(path: Path, box_px: int = 64, pixel_A: float = 2.0) -> Path:
    """Write five FSC curves that fall in a straight line to 0 at shells 16, 18 … 24."""
    shells = np.arange(box_px // 2 + 1)
    with np.errstate(divide="ignore"):
        resolution = box_px * pixel_A / shells
    names = ("no_mask", "spherical", "loose", "tight", "corrected")
    ends = (16, 18, 20, 24, 22)
    write_fsc_csv(path, resolution, {n: np.clip(1 - shells / end, 0, 1) for n, end in zip(names, ends, strict=True)})
    return path


def make_refinement(folder: Path, box_px: int = 56, pixel_A: float = 2.5, views: int = 300) -> Path:
    """Write what a refinement leaves: half maps of the channel, their curves and mask, and particles with poses."""
    truth, rng = density(channel(), box_px, pixel_A), np.random.default_rng(2)
    halves = [truth + 4.0 * truth.std() * rng.standard_normal(truth.shape).astype(np.float32) for _ in range(2)]
    found = fsc_curves(*halves, pixel_A, rng)
    folder.mkdir(parents=True, exist_ok=True)
    maps = {"half_A": halves[0], "half_B": halves[1], "mask_fsc": found.masks["tight"]}
    for name, volume in maps.items():
        write_mrc(folder / f"{name}.mrc", volume, pixel_A)
    write_fsc_csv(folder / "fsc.csv", found.resolution_A, found.curves)
    angles_deg = matrix_to_euler(random_rotations(views, rng))
    rows = pd.DataFrame(angles_deg, columns=["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"])
    rows = rows.assign(rlnImageName="1@x.mrcs", rlnOpticsGroup=1, rlnOriginXAngst=0.0, rlnOriginYAngst=0.0)
    optics = pd.DataFrame({"rlnOpticsGroup": [1], "rlnImagePixelSize": [pixel_A], "rlnImageSize": [box_px]})
    write_star(folder / "particles.star", {"optics": optics, "particles": rows})
    return folder


def ball(n: int = 32, radius_px: float = 8.0) -> np.ndarray:
    """Give a soft ball off the centre in x: 1 inside, 0 outside, half way at its radius."""
    z, y, x = np.mgrid[:n, :n, :n] - n // 2
    distance = np.sqrt((x - 3) ** 2 + y**2 + z**2)
    return np.clip(0.5 + (radius_px - distance) / 2, 0, 1).astype(np.float32)


def make_hostile(folder: Path, markup: str) -> None:
    """Write files of all kinds whose names and STAR cells hold some markup."""
    star = make_micrographs(folder)
    make_picks(star)
    make_spectra(star)
    for name in ("micrographs.star", "picks.star"):
        tables = read_star(folder / name)
        main = "micrographs" if "micrographs" in tables else "particles"
        names = tables[main]["rlnMicrographName"].str.replace("mic_0001", f"{markup}1")
        write_star(folder / name, {**tables, main: tables[main].assign(rlnMicrographName=names, rlnNote=markup)})
    (folder / "mic_0001.mrc").rename(folder / f"{markup}1.mrc")
    make_classes(folder / "classes")
    make_fsc(folder / "fsc.csv")
    write_mrc(folder / f"{markup}.mrc", ball(), PIXEL_A)
