"""More mistakes: the steps on maps, movies and tables of micrographs, and inputs that are no plain files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
from bad_input import keep_rows
from bad_input_cases import EXTRACT, OPTICS, Spoil, img, nan, nothing

from spa_widgets.io.mrc_write import write_mrc


def fifo(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def cropped(path: Path, side: int) -> None:
    img(path, lambda volume: volume[:side, :side, :side], 6.0)


def movie(path: Path, value: float | None = None) -> None:
    frames = np.random.default_rng(3).poisson(5, (3, 64, 64)).astype(np.float32)
    write_mrc(path, frames if value is None else np.full_like(frames, value), 2.0, is_stack=True)


# fmt: off
LOCAL = "local-resolution half_a.mrc half_b.mrc"
MODEL = "initial-model particles.star --mask-diameter-A 150 --iterations 2 --starts 1 --start-iterations 1"
MOTION = f"correct-motion m.mrc {OPTICS} --dose-e-per-A2 30"
TIFF = f"correct-motion m.tif {OPTICS} --dose-e-per-A2 30"
CHOOSE = "select-micrographs micrographs.star"
PLAIN = "is no plain file; expected a file: name the file itself."
LOOP = "is a link that leads back to itself; expected a file: make the link again."
SIZE = "is 20 px of 6 Å, but {here}/%s is 32 px of 6 Å; resample one of them first."

MORE: list[tuple[str, Spoil, int, str]] = [
    (LOCAL, lambda f: cropped(f / "half_b.mrc", 20), 1, "{here}/half_b.mrc " + SIZE % "half_a.mrc"),
    (LOCAL, lambda f: img(f / "half_b.mrc", lambda a: a * 0, 6.0), 1,
     "{here}/half_b.mrc is 0 everywhere; expected a map with density: make it again."),
    (LOCAL, lambda f: img(f / "half_b.mrc", nan, 6.0), 1,
     "{here}/half_b.mrc holds 32 pixels that are no numbers (NaN or infinite): make the image again."),
    (LOCAL, lambda f: shutil.copy(f / "half_a.mrc", f / "half_b.mrc"), 1,
     "{here}/half_a.mrc and {here}/half_b.mrc are the same map; expected two independent half maps."),
    (LOCAL, lambda f: img(f / "half_b.mrc", lambda a: a[:20], 6.0), 1,
     "{here}/half_b.mrc has the shape (20, 32, 32); expected a cubic map: crop or pad it first."),
    (LOCAL + " --mask mask.mrc", lambda f: cropped(f / "mask.mrc", 20), 1, "{here}/mask.mrc " + SIZE % "half_a.mrc"),
    (LOCAL + " --threshold 1", nothing, 1,
     "local_resolution: threshold is '1', but input should be less than 1."),
    (LOCAL, lambda f: fifo(f / "half_b.mrc"), 1, "{here}/half_b.mrc " + PLAIN),
    (LOCAL, lambda f: link(f / "half_b.mrc", "half_b.mrc"), 1, "{here}/half_b.mrc " + LOOP),
    (LOCAL, lambda f: link(f / "half_b.mrc", "/dev/zero"), 1, "{here}/half_b.mrc " + PLAIN),
    (MODEL, lambda f: keep_rows(f / "particles.star", "particles", 0), 1,
     "{here}/particles.star holds no particle; expected at least one: choose more classes or picks."),
    (MODEL, lambda f: fifo(f / "particles.star"), 1, "{here}/particles.star " + PLAIN),
    (MODEL, lambda f: link(f / "particles.star", "particles.star"), 1, "{here}/particles.star " + LOOP),
    (MODEL, lambda f: link(f / "particles.star", "/dev/zero"), 1, "{here}/particles.star " + PLAIN),
    (MODEL, lambda f: (f / "particles.mrcs").unlink(), 1,
     "{here}/particles.star names the image file particles.mrcs, which is not there: move it back or import it again."),
    (MODEL + " --symmetry C0", nothing, 1,
     "initial_model: symmetry is 'C0', but symmetry 'C0' is not a point group; expected C1, C2 …, D1, D2 …, T, O, I, "
     "I1, I2, I3 or I4."),
    ("inspect-picks picks.star", nothing, 1,
     "The picks have no column rlnAutopickFigureOfMerit, spaPickPower; expected the scores of a picker: picks made by "
     "hand need no thresholds, extract them as they are."),
    ("inspect-picks picks.star", lambda f: fifo(f / "picks.star"), 1, "{here}/picks.star " + PLAIN),
    ("inspect-picks micrographs.star", nothing, 1,
     "{here}/micrographs.star holds optics, micrographs; expected a table of particles with coordinates."),
    ("inspect-picks picks.star --min-ncc 2", nothing, 1,
     "inspect_picks: min_ncc is '2', but input should be less than or equal to 1."),
    (CHOOSE + " --worst-resolution-A 5", nothing, 1,
     "worst_resolution_A is 5, but these micrographs have no resolution_A: leave it out, or fit the CTF."),
    (CHOOSE + " --max-defocus-A 100", nothing, 1,
     "None of the 2 micrographs is accepted (2 for defocus_A): widen the limits."),
    (CHOOSE + " --accept gone.mrc", nothing, 1,
     "There is no micrograph gone.mrc among the 2; the first one is mic_a.mrc."),
    (CHOOSE + " --accept mic_a.mrc --reject mic_a.mrc", nothing, 1,
     "select_micrographs: mic_a.mrc is both accepted and rejected; name it once."),
    (CHOOSE + " --min-defocus-A 5000 --max-defocus-A 100", nothing, 1,
     "select_micrographs: the least defocus 5000 Å is above the largest 100 Å; exchange them."),
    ("select-micrographs picks.star", nothing, 1,
     "{here}/picks.star holds particles; expected micrographs and optics: import the micrographs."),
    ("manual-picks micrographs.star", nothing, 1, "manual_picks needs the parameter picks; give it."),
    (TIFF, nothing, 1, "correct_motion: no file matches 'm.tif' for movies; check the path."),
    (TIFF, lambda f: (f / "m.tif").write_bytes(b""), 1,
     "{here}/m.tif is not a readable TIFF or EER file (not a TIFF file: header=b''): copy or export it again."),
    (TIFF, lambda f: (f / "m.tif").write_bytes(b"II*\0" + b"\1" * 50), 1,
     "{here}/m.tif is not a readable TIFF or EER file (page 1 is not there): copy or export it again."),
    (TIFF, lambda f: fifo(f / "m.tif"), 1, "{here}/m.tif " + PLAIN),
    (TIFF, lambda f: link(f / "m.tif", "m.tif"), 1, "{here}/m.tif " + LOOP),
    (TIFF, lambda f: link(f / "m.tif", "/dev/zero"), 1, "{here}/m.tif " + PLAIN),
    (MOTION.replace("m.mrc", "mic_a.mrc"), nothing, 1,
     "{here}/mic_a.mrc has a single frame; expected a movie: import_micrographs takes images that are averaged "
     "already."),
    (MOTION, lambda f: movie(f / "m.mrc", np.nan), 1,
     "{here}/m.mrc holds 4096 pixels that are no numbers (NaN or infinite): make the image again."),
    (MOTION, lambda f: movie(f / "m.mrc", 1.0), 1,
     "{here}/m.mrc: every pixel of the summed frames is 3; expected an image: leave this movie out."),
    (MOTION + " --gain map.mrc", lambda f: movie(f / "m.mrc"), 1,
     "{here}/map.mrc has the shape (32, 32, 32); expected one image as the gain reference: check the path."),
    (MOTION + " --gain mic_a.mrc", lambda f: movie(f / "m.mrc"), 1,
     "{here}/mic_a.mrc: the gain reference has 256 × 192 px, the frames 64 × 64; expected the same: give the one "
     "recorded with the movies."),
    (MOTION + " --gain m.dm4", lambda f: (movie(f / "m.mrc"), (f / "m.dm4").write_bytes(b"1")), 1,
     "{here}/m.dm4 is a file of DigitalMicrograph; expected .mrc, .tif or .gain: convert it (dm2mrc)."),
    ("simulate --micrographs 0", nothing, 1,
     "simulate: micrographs is '0', but input should be greater than or equal to 1."),
    ("simulate --defocus-min-A 30000 --defocus-max-A 10000", nothing, 1,
     "The largest defocus (10000 Å) is below the least (30000 Å); swap them."),
    ("simulate --model m.pdb --size-px 256", lambda f: (f / "m.pdb").write_text("END\n", encoding="utf-8"), 1,
     "{here}/m.pdb holds no atoms; expected an atomic model in PDB or mmCIF format."),
    ("simulate --model m.pdb --size-px 256", lambda f: fifo(f / "m.pdb"), 1, "{here}/m.pdb " + PLAIN),
    ("simulate --model m.pdb --size-px 256", lambda f: (f / "m.pdb").mkdir(), 1,
     "{here}/m.pdb is a folder; expected a file: name the file itself."),
    ("sharpen map.mrc", lambda f: fifo(f / "map.mrc"), 1, "{here}/map.mrc " + PLAIN),
    ("sharpen map.mrc", lambda f: img(f / "map.mrc", nan, 6.0), 1,
     "{here}/map.mrc holds 32 pixels that are no numbers (NaN or infinite): make the image again."),
    ("sharpen map.mrc --resolution-A 0.5", nothing, 1,
     "resolution_A is 0.5, beyond the Nyquist limit of the map, 12 Å; give the resolution that it has."),
    ("sharpen map.mrc --mask mask.mrc", lambda f: cropped(f / "mask.mrc", 20), 1,
     "{here}/mask.mrc " + SIZE % "map.mrc"),
    ("compare-maps map.mrc half_a.mrc", lambda f: img(f / "half_a.mrc", nan, 6.0), 1,
     "{here}/half_a.mrc holds 32 pixels that are no numbers (NaN or infinite): make the image again."),
    ("compare-maps map.mrc half_a.mrc", lambda f: img(f / "half_a.mrc", lambda a: a, 60.0), 1,
     "{here}/map.mrc has voxels of 6 Å, the reference of 60 Å; expected sizes within a factor of 3: check the "
     "headers."),
    ("compare-maps map.mrc half_a.mrc --mask mask.mrc", lambda f: cropped(f / "mask.mrc", 20), 1,
     "{here}/mask.mrc " + SIZE % "half_a.mrc"),
    ("compare-maps map.mrc half_a.mrc", lambda f: link(f / "map.mrc", "map.mrc"), 1, "{here}/map.mrc " + LOOP),
    (f"import mic_a.mrc {OPTICS}", lambda f: link(f / "mic_a.mrc", "mic_a.mrc"), 1, "{here}/mic_a.mrc " + LOOP),
    (f"import mic_a.mrc {OPTICS}", lambda f: link(f / "mic_a.mrc", "/dev/zero"), 1, "{here}/mic_a.mrc " + PLAIN),
    (EXTRACT + " --box-px 64", lambda f: link(f / "picks.star", "/dev/zero"), 1, "{here}/picks.star " + PLAIN),
    (EXTRACT + " --box-px 64", lambda f: [fifo(f / f"mic_{x}.mrc") for x in "ab"], 1,
     "{here}/mic_b.mrc is no plain file; expected an MRC file: name the file itself."),
    ("refine particles.star --reference map.mrc", lambda f: fifo(f / "map.mrc"), 1, "{here}/map.mrc " + PLAIN),
    ("open gone.spa", nothing, 1,
     "{here}/gone.spa cannot be opened as a bundle: No such file or directory; check its path."),
    ("open map.mrc", nothing, 1,
     "map.mrc is not a whole bundle (File is not a zip file): it is cut short, damaged or something else; copy it "
     "again."),
    ("open x.spa", lambda f: link(f / "x.spa", "x.spa"), 1,
     "{here}/x.spa cannot be opened as a bundle: Too many levels of symbolic links; check its path."),
    ("open x.spa", lambda f: fifo(f / "x.spa"), 1,
     "{here}/x.spa is no plain file; expected a bundle: name the file itself."),
    ("open x.spa", lambda f: link(f / "x.spa", "/dev/zero"), 1,
     "{here}/x.spa is no plain file; expected a bundle: name the file itself."),
    ("convert picks.star --out x.csv", lambda f: fifo(f / "picks.star"), 1, "{here}/picks.star " + PLAIN),
    ("check refine particles.star --reference map.mrc", lambda f: fifo(f / "map.mrc"), 1, "{here}/map.mrc " + PLAIN),
    ("export x.spa", nothing, 1, "{here} is not a project (it has no project.json); give the folder of one."),
]
# fmt: on
