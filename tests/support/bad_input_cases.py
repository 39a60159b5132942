"""The table of mistakes: command, what is spoilt first, exit status, and the sentence that is said."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bad_input import edit, keep_rows
from numpy.typing import NDArray

from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.mrc_write import write_mrc

Spoil = Callable[[Path], Any]


def nothing(folder: Path) -> None:
    """Everything is in order; the command is not."""


def mode(path: Path, value: int) -> None:
    content = bytearray(path.read_bytes())
    struct.pack_into("<i", content, 12, value)
    path.write_bytes(content)


def put(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def cut(path: Path, count: int) -> None:
    path.write_bytes(path.read_bytes()[:count])


def img(
    path: Path, change: Callable[[NDArray[Any]], NDArray[Any]], pixel_size_A: float = 2.0, is_stack: bool = False
) -> None:
    write_mrc(path, change(read_mrc(path)[0]), pixel_size_A, is_stack=is_stack)


def nan(array: NDArray[Any]) -> NDArray[Any]:
    array = array.copy()
    array[..., 0, 0] = np.nan
    return array


# fmt: off
OPTICS = "--pixel-size-A 2 --voltage-kv 300 --cs-mm 2.7"
IMPORT = f"import mic_a.mrc {OPTICS}"
CTF = "estimate-ctf micrographs.star"
BLOBS = "pick-blobs micrographs.star --diameter-A 100"
TEMPLATES = "pick-templates micrographs.star --templates classes/class_averages.mrcs --diameter-A 100"
EXTRACT = "extract micrographs.star picks.star --diameter-A 60"
CLASSIFY = "classify-2d particles.star --classes 2 --mask-diameter-A 150 --iterations 2"
SELECT = "select-2d classes"
REFINE = "refine particles.star --reference map.mrc --symmetry C8 --mask-diameter-A 150 --max-iterations 2"
FSC = "fsc half_a.mrc half_b.mrc"
SHARPEN = "sharpen map.mrc"

CASES: list[tuple[str, Spoil, int, str]] = [
    ("import nothing/*.mrc " + OPTICS, nothing, 1,
     "import_micrographs: no file matches 'nothing/*.mrc' for files; check the path."),
    (IMPORT, lambda f: cut(f / "mic_a.mrc", 0), 1,
     "{here}/mic_a.mrc has 0 bytes; an MRC file has a header of 1024: it is empty or cut short."),
    (IMPORT, lambda f: cut(f / "mic_a.mrc", 5000), 1,
     "{here}/mic_a.mrc is cut short: its header announces 256 × 192 × 1 px in 197632 bytes, the file has 5000:"
     " copy it again."),
    (IMPORT, lambda f: (f / "mic_a.mrc").write_text("hello " * 1000, encoding="utf-8"), 1,
     "{here}/mic_a.mrc is not an MRC file (its header makes no sense): expected an image in MRC format."),
    (IMPORT, lambda f: mode(f / "mic_a.mrc", 4), 1,
     "{here}/mic_a.mrc holds Fourier coefficients (mode 4); expected an image or map in real space."),
    (IMPORT, lambda f: mode(f / "mic_a.mrc", 77), 1,
     "{here}/mic_a.mrc has MRC mode 77; expected 0, 1, 2, 6, 12 or 101 (8-bit, 16-bit, float, 16-bit unsigned,"
     " half float, 4-bit): convert it first."),
    (IMPORT, lambda f: write_mrc(f / "mic_a.mrc", np.zeros((5, 20, 20), np.float32), 2.0, is_stack=True), 1,
     "{here}/mic_a.mrc has 5 frames; expected one averaged micrograph: correct the movie for motion first."),
    (IMPORT, lambda f: ((f / "mic_a.mrc").unlink(), (f / "mic_a.mrc").mkdir()), 1,
     "{here}/mic_a.mrc is a folder; expected a file: name the file itself."),
    (IMPORT, lambda f: ((f / "mic_a.mrc").unlink(), os.mkfifo(f / "mic_a.mrc")), 1,
     "{here}/mic_a.mrc is no plain file; expected a file: name the file itself."),
    (IMPORT + " --amplitude-contrast 7", nothing, 1,
     "import_micrographs: amplitude_contrast is '7', but input should be less than or equal to 1."),
    ("import mic_a.mrc --voltage-kv 300 --cs-mm 2.7", nothing, 1,
     "import_micrographs needs the parameter pixel_size_A (in Å); give it."),
    ("import mic_a.mrc --pixel-size-A -1 --voltage-kv 300 --cs-mm 2.7", nothing, 1,
     "import_micrographs: pixel_size_A is '-1', but input should be greater than 0.05."),
    ("import mic_a.mrc --pixel-size-A nan --voltage-kv 300 --cs-mm 2.7", nothing, 1,
     "import_micrographs: pixel_size_A is 'nan', but input should be a finite number."),
    ("import mic_a.mrc --pixel-size-A two --voltage-kv 300 --cs-mm 2.7", nothing, 1,
     "import_micrographs: pixel_size_A is 'two', but input should be a valid number, unable to parse string as"
     " a number."),
    ("import mic_a.mrc --pixel-size-A 2 --voltage-kv 0 --cs-mm 2.7", nothing, 1,
     "import_micrographs: voltage_kv is '0', but input should be greater than or equal to 50."),
    (CTF, lambda f: [img(f / f"mic_{x}.mrc", lambda a: a * 0 + 5) for x in "ab"], 1,
     "None of the 2 micrographs could be fitted; expected images of ice with Thon rings: look at the warnings "
     "and at the pixel size."),
    (CTF, lambda f: [img(f / f"mic_{x}.mrc", nan) for x in "ab"], 1,
     "None of the 2 micrographs could be fitted; expected images of ice with Thon rings: look at the warnings "
     "and at the pixel size."),
    (CTF, lambda f: [(f / f"mic_{x}.mrc").unlink() for x in "ab"], 1,
     "None of the 2 micrographs could be fitted; expected images of ice with Thon rings: look at the warnings "
     "and at the pixel size."),
    (CTF, lambda f: edit(f / "micrographs.star", "optics"), 1,
     "{here}/micrographs.star holds micrographs; expected micrographs and optics: import the micrographs."),
    (CTF, lambda f: edit(f / "micrographs.star", "micrographs", "rlnMicrographName"), 1,
     "{here}/micrographs.star has no column rlnMicrographName; this step needs it: was an earlier step left "
     "out?"),
    (CTF, lambda f: keep_rows(f / "micrographs.star", "micrographs", 0), 1,
     "{here}/micrographs.star holds no micrograph; expected at least one: import the micrographs again."),
    (CTF, lambda f: (f / "micrographs.star").write_bytes(b""), 1,
     "{here}/micrographs.star holds no table; expected a STAR file with a data block and a loop."),
    (CTF, lambda f: put(f / "micrographs.star", "just a note\n"), 1,
     "{here}/micrographs.star is not a readable STAR file (line 1 is 'just a note', before any data block): "
     "export it again."),
    (CTF, lambda f: shutil.copy(f / "mic_a.mrc", f / "micrographs.star"), 1,
     "{here}/micrographs.star is not text; expected a STAR file: is it an image?"),
    (CTF + " --low-resolution-A 5 --high-resolution-A 20", nothing, 1,
     "estimate_ctf: low_resolution_A is '5', but input should be greater than 5."),
    (CTF + " --min-defocus-A 30000 --max-defocus-A 10000", nothing, 1,
     "estimate_ctf: the least defocus 30000 Å is not below the largest 10000 Å; exchange them."),
    ("estimate-ctf mic_a.mrc --voltage-kv 300 --cs-mm 2.7", nothing, 1,
     "import_micrographs needs the parameter pixel_size_A (in Å); give it."),
    ("pick-blobs micrographs.star --diameter-A 0", nothing, 1,
     "pick_blobs: diameter_A is '0', but input should be greater than or equal to 20."),
    ("pick-blobs micrographs.star --diameter-A 2000", nothing, 1,
     "mic_a.mrc: The micrograph has 48 × 64 pixels at the picker's sampling, fewer than the 428 of a template;"
     " check the pixel size and the particle diameter."),
    (BLOBS, lambda f: [(f / f"mic_{x}.mrc").unlink() for x in "ab"], 1,
     "{here}/micrographs.star names the image file mic_a.mrc, which is not there: move it back or import it "
     "again."),
    (BLOBS, lambda f: [img(f / f"mic_{x}.mrc", nan) for x in "ab"], 1,
     "{here}/mic_a.mrc holds 1 pixels that are no numbers (NaN or infinite): make the image again."),
    (BLOBS, lambda f: [img(f / f"mic_{x}.mrc", lambda a: a * 0 + 5) for x in "ab"], 1,
     "{here}/mic_a.mrc is constant; expected an image: leave this micrograph out."),
    (BLOBS + " --min-ncc 0.9", lambda f: (f / "mic_a.mrc").unlink(), 1,
     "None of the 18 candidates lies within the thresholds (min_ncc 0.9); expected at least one: widen them,"
     " or check the diameter, and that templates show particles in white."),
    (TEMPLATES, lambda f: shutil.rmtree(f / "classes"), 1,
     "pick_templates: no file matches 'classes/class_averages.mrcs' for templates; check the path."),
    (TEMPLATES,
     lambda f: write_mrc(f / "classes/class_averages.mrcs", np.zeros((3, 32, 32), np.float32), 6.0, is_stack=True), 1,
     "Template 1 is blank or holds values that are not numbers; remove it."),
    (TEMPLATES,
     lambda f: write_mrc(f / "classes/class_averages.mrcs", np.ones((3, 32, 20), np.float32), 6.0, is_stack=True), 1,
     "Templates must be a stack of square images; found an array of shape (3, 32, 20)."),
    (TEMPLATES, lambda f: img(f / "classes/class_averages.mrcs", nan, 6.0, True), 1,
     "Template 1 is blank or holds values that are not numbers; remove it."),
    (EXTRACT + " --box-px 400", nothing, 1,
     "No particle is left to extract; expected at least one pick whose box lies on its micrograph: choose a "
     "smaller box, or look at the picks."),
    (EXTRACT + " --box-px 64 --crop-px 80", nothing, 1,
     "A Fourier crop to 80 px cannot be larger than the box of 64 px."),
    (EXTRACT + " --box-px 64", lambda f: edit(f / "picks.star", "particles", "rlnCoordinateX"), 1,
     "{here}/picks.star has no column rlnCoordinateX; this step needs it: was an earlier step left out?"),
    (EXTRACT + " --box-px 64", lambda f: edit(f / "picks.star", "particles", "rlnCoordinateX", 1, "left"), 1,
     "{here}/picks.star: row 2 of rlnCoordinateX is 'left'; expected a number: mend or leave out the row."),
    (EXTRACT + " --box-px 64", lambda f: edit(f / "picks.star", "particles", "rlnCoordinateX", 1, float("nan")), 1,
     "{here}/picks.star: row 2 of rlnCoordinateX is empty; expected a number: mend or leave out the row."),
    (EXTRACT + " --box-px 64", lambda f: edit(f / "picks.star", "particles", "rlnMicrographName", None, "other.mrc"), 1,
     "None of the 3 picks lies on one of the 2 micrographs; expected picks that were made on them: were other "
     "micrographs given?"),
    (EXTRACT + " --box-px 64", lambda f: keep_rows(f / "picks.star", "particles", 0), 1,
     "None of the 0 picks lies on one of the 2 micrographs; expected picks that were made on them: were other "
     "micrographs given?"),
    (EXTRACT + " --box-px 64", lambda f: (f / "picks.star").unlink(), 1,
     "extract: no file matches 'picks.star' for picks; check the path."),
    (EXTRACT + " --box-px 64", lambda f: [img(f / f"mic_{x}.mrc", lambda a: a * 0 + 5) for x in "ab"], 1,
     "{here}/mic_b.mrc is constant; expected an image: leave this micrograph out."),
    (EXTRACT + " --box-px 64", lambda f: edit(f / "micrographs.star", "micrographs", "rlnDefocusU", 0, "high"), 1,
     "{here}/micrographs.star: row 1 of rlnDefocusU is 'high'; expected a number: mend or leave out the row."),
    ("extract mic_a.mrc picks.star --box-px 64 --diameter-A 60", nothing, 1,
     "{here}/mic_a.mrc is not text; expected a STAR file: is it an image?"),
    ("extract picks.star micrographs.star --box-px 64 --diameter-A 60", nothing, 1,
     "{here}/picks.star holds particles; expected micrographs and optics: import the micrographs."),
    (CLASSIFY.replace("--classes 2", "--classes 0"), nothing, 1,
     "classify_2d: classes is '0', but input should be greater than or equal to 1."),
    (CLASSIFY, lambda f: keep_rows(f / "particles.star", "particles", 0), 1,
     "{here}/particles.star holds no particle; expected at least one: choose more classes or picks."),
    (CLASSIFY, lambda f: keep_rows(f / "particles.star", "particles", 1), 1,
     "{here}/particles.star holds 1 particle; expected at least 2 to make a class: pick more."),
    (CLASSIFY, lambda f: edit(f / "particles.star", "particles", "rlnImageName"), 1,
     "{here}/particles.star has no column rlnImageName; this step needs it: was an earlier step left out?"),
    (CLASSIFY, lambda f: (f / "particles.mrcs").unlink(), 1,
     "{here}/particles.star names the image file particles.mrcs, which is not there: move it back or import it"
     " again."),
    (CLASSIFY, lambda f: img(f / "particles.mrcs", lambda a: a[:5], 6.0, True), 1,
     "{here}/particles.mrcs has 5 images, but image 24 is asked for: the STAR file belongs to another stack."),
    (CLASSIFY, lambda f: edit(f / "particles.star", "particles", "rlnDefocusU", 3, "high"), 1,
     "{here}/particles.star: row 4 of rlnDefocusU is 'high'; expected a number: mend or leave out the row."),
    (CLASSIFY, lambda f: edit(f / "particles.star", "particles", "rlnDefocusU"), 1,
     "{here}/particles.star has no column rlnDefocusU; this step needs it: was an earlier step left out?"),
    (CLASSIFY, lambda f: edit(f / "particles.star", "particles", "rlnDefocusV", 3, float("inf")), 1,
     "{here}/particles.star: row 4 of rlnDefocusV is 'inf'; expected a number: mend or leave out the row."),
    (CLASSIFY, lambda f: edit(f / "particles.star", "particles", "rlnOpticsGroup", 4, 7), 1,
     "{here}/particles.star: row 5 belongs to optics group 7, which the optics table does not have (it has 1):"
     " export the file again."),
    (CLASSIFY, lambda f: img(f / "particles.mrcs", nan, 6.0, True), 1,
     "{here}/particles.mrcs holds 24 pixels that are no numbers (NaN or infinite): make the image again."),
    (CLASSIFY, lambda f: img(f / "particles.mrcs", lambda a: a * 0, 6.0, True), 1,
     "The particle images are empty (no variation in some Fourier shell): extract them again."),
    (CLASSIFY, lambda f: edit(f / "particles.star", "optics", "rlnVoltage"), 1,
     "{here}/particles.star has no column rlnVoltage; this step needs it: was an earlier step left out?"),
    (CLASSIFY, lambda f: edit(f / "particles.star", "optics", "rlnVoltage", 0, 300000.0), 1,
     "{here}/particles.star states rlnVoltage 300000 kV; expected 10 to 3000 kV: correct the optics table."),
    (CLASSIFY, lambda f: edit(f / "particles.star", "optics", "rlnAmplitudeContrast", 0, 10.0), 1,
     "{here}/particles.star states rlnAmplitudeContrast 10; expected 0 to 1: correct the optics table."),
    (CLASSIFY, lambda f: edit(f / "particles.star", "optics", "rlnImagePixelSize", 0, 0.0), 1,
     "{here}/particles.star states a pixel size of 0 Å; expected a positive number: correct it."),
    (CLASSIFY, lambda f: edit(f / "particles.star", "optics", "rlnImagePixelSize"), 1,
     "{here}/particles.star does not state the pixel size; expected rlnImagePixelSize in its optics table."),
    (CLASSIFY, lambda f: keep_rows(f / "particles.star", "optics", 0), 1,
     "{here}/particles.star has an empty optics table; expected a row for each optics group: import it anew."),
    (CLASSIFY, lambda f: edit(f / "particles.star", "optics"), 1,
     "{here}/particles.star holds particles; expected tables of particles and optics: extract the particles, "
     "or export them again."),
    (CLASSIFY, lambda f: edit(f / "particles.star", "particles", "rlnImageName", 2, "first@particles.mrcs"), 1,
     "{here}/particles.star: row 3 of rlnImageName is 'first@particles.mrcs'; expected a number from 1 on and "
     "a stack, such as 000001@particles.mrcs: mend or leave out the row."),
    (CLASSIFY, lambda f: edit(f / "particles.star", "particles", "rlnImageName", 2, "0@particles.mrcs"), 1,
     "{here}/particles.star: row 3 of rlnImageName is '0@particles.mrcs'; expected a number from 1 on and a "
     "stack, such as 000001@particles.mrcs: mend or leave out the row."),
    (CLASSIFY, lambda f: edit(f / "particles.star", "particles", "rlnImageName", 2, f"{10**20}@particles.mrcs"), 1,
     "{here}/particles.star: row 3 of rlnImageName is '100000000000000000000@particles.mrcs'; expected a number from 1 "
     "on and a stack, such as 000001@particles.mrcs: mend or leave out the row."),
    (CLASSIFY, lambda f: edit(f / "particles.star", "optics", "rlnSphericalAberration"), 1,
     "{here}/particles.star has no column rlnSphericalAberration; this step needs it: was an earlier step left out?"),
    (CLASSIFY, lambda f: write_mrc(f / "particles.mrcs", np.ones((24, 32, 20), np.float32), 6.0, is_stack=True), 1,
     "{here}/particles.mrcs has images of 20 × 32 px; expected square ones: extract them anew."),
    (CLASSIFY,
     lambda f: (write_mrc(f / "other.mrcs", np.ones((4, 20, 20), np.float32), 6.0, is_stack=True),
                edit(f / "particles.star", "particles", "rlnImageName", 2, "1@other.mrcs")), 1,
     "{here}/particles.star mixes boxes: {here}/particles.mrcs has 32 px, {here}/other.mrcs has 20 px; "
     "expected one in an optics group: give each box a group of its own."),
    (CLASSIFY,
     lambda f: put(f / "particles.star", (f / "particles.star").read_text(encoding="utf-8") + "extra cell\n"), 1,
     "{here}/particles.star is not a readable STAR file (row 25 of the table particles (near line 59) has 2 "
     "cells for 13 columns): export it again."),
    ("classify-2d particles.star --classes 2 --mask-diameter-A 900", nothing, 1,
     "Mask diameter is 900 Å but the box is only 192 Å wide: use a smaller mask, or extract larger boxes."),
    ("classify-2d map.mrc --classes 2", nothing, 1,
     "{here}/map.mrc is not text; expected a STAR file: is it an image?"),
    ("classify-2d particles.mrcs --classes 2", nothing, 1,
     "{here}/particles.mrcs is not text; expected a STAR file: is it an image?"),
    ("classify-2d micrographs.star --classes 2", nothing, 1,
     "{here}/micrographs.star holds optics, micrographs; expected tables of particles and optics: extract the "
     "particles, or export them again."),
    (SELECT, nothing, 1,
     "select_2d: give either class numbers or auto, not both and not neither."),
    (SELECT + " --classes 9", nothing, 1,
     "Class 9 was chosen but there are only 3 classes: choose from 1 to 3."),
    (SELECT + " --classes one", nothing, 1,
     "select_2d: classes.0 is 'one', but input should be a valid integer, unable to parse string as an "
     "integer."),
    (SELECT + " --classes 0", nothing, 1,
     "select_2d: class numbers count from 1."),
    (SELECT + " --auto", nothing, 1,
     "{here}/classes has no classes.csv; give the folder of a 2D classification."),
    (SELECT + " --classes 1", lambda f: (f / "classes/particles.star").unlink(), 1,
     "{here}/classes has no particles.star; give the folder of a 2D classification."),
    (SELECT + " --classes 1", lambda f: edit(f / "classes/particles.star", "particles", "rlnClassNumber"), 1,
     "{here}/classes/particles.star has no column rlnClassNumber; this step needs it: was an earlier step left"
     " out?"),
    (SELECT + " --classes 3", lambda f: edit(f / "classes/particles.star", "particles", "rlnClassNumber", None, 1), 1,
     "The chosen classes 3 hold no particle: choose others."),
    ("select-2d . --classes 1", nothing, 1,
     "The folder {here} holds no classes (class_averages.mrcs); give the file."),
    (REFINE.replace("C8", "C0"), nothing, 1,
     "refine: symmetry is 'C0', but symmetry 'C0' is not a point group; expected C1, C2 …, D1, D2 …, T, O, I, "
     "I1, I2, I3 or I4."),
    (REFINE.replace("C8", "X9"), nothing, 1,
     "refine: symmetry is 'X9', but symmetry 'X9' is not a point group; expected C1, C2 …, D1, D2 …, T, O, I, "
     "I1, I2, I3 or I4."),
    (REFINE.replace("150", "0"), nothing, 1,
     "refine: mask_diameter_A is '0', but input should be greater than or equal to 20."),
    (REFINE.replace("--max-iterations 2", "--max-iterations 0"), nothing, 1,
     "refine: max_iterations is '0', but input should be greater than or equal to 2."),
    (REFINE, lambda f: keep_rows(f / "particles.star", "particles", 1), 1,
     "{here}/particles.star holds 1 particle; expected one for each half map at least: choose more classes or picks."),
    (REFINE, lambda f: edit(f / "particles.star", "particles", "rlnRandomSubset", 3, 3), 1,
     "{here}/particles.star has particles of the half set 3 (rlnRandomSubset); expected 1 and 2: remove the "
     "column, and half sets are drawn anew."),
    (REFINE, lambda f: edit(f / "particles.star", "particles", "rlnRandomSubset", None, 1), 1,
     "{here}/particles.star has 24 particles in half set 1 and 0 in 2 (rlnRandomSubset); expected about as "
     "many in both: remove the column, and half sets are drawn anew."),
    (REFINE, lambda f: edit(f / "particles.star", "particles", "rlnRandomSubset", 3, "A"), 1,
     "{here}/particles.star: row 4 of rlnRandomSubset is 'A'; expected a number: mend or leave out the row."),
    (REFINE, lambda f: img(f / "map.mrc", nan, 6.0), 1,
     "{here}/map.mrc holds 32 pixels that are no numbers (NaN or infinite): make the image again."),
    (REFINE, lambda f: img(f / "map.mrc", lambda a: a * 0, 6.0), 1,
     "{here}/map.mrc is 0 everywhere; expected a map with density: make it again."),
    (REFINE, lambda f: img(f / "map.mrc", lambda a: a, 0.0), 1,
     "{here}/map.mrc states no pixel size; expected it in the MRC header: write it there first."),
    (REFINE, lambda f: img(f / "map.mrc", lambda a: a[:, :, :20], 6.0), 1,
     "{here}/map.mrc has the shape (32, 32, 20); expected a cubic map: crop or pad it first."),
    (REFINE, lambda f: img(f / "map.mrc", lambda a: a[0], 6.0), 1,
     "{here}/map.mrc has the shape (32, 32); expected a cubic map: crop or pad it first."),
    (REFINE + " --mask mask.mrc", lambda f: img(f / "mask.mrc", lambda a: a[:20], 6.0), 1,
     "{here}/mask.mrc has the shape (20, 32, 32); expected a cubic map: crop or pad it first."),
    (REFINE + " --mask mask.mrc", lambda f: img(f / "mask.mrc", lambda a: a * 0, 6.0), 1,
     "{here}/mask.mrc is 0 everywhere; expected a map with density: make it again."),
    (REFINE + " --mask mask.mrc", lambda f: img(f / "mask.mrc", lambda a: a * 5 - 3, 6.0), 1,
     "{here}/mask.mrc has values from -3 to 2; expected a mask, from 0 to 1: make one of the map by a "
     "threshold."),
    ("refine particles.star --symmetry C8", nothing, 2,
     "Missing option '--reference'. Try 'spa refine --help'."),
    (REFINE.replace("map.mrc", "nowhere.mrc"), nothing, 1,
     "refine: no file matches 'nowhere.mrc' for volume; check the path."),
    (FSC, lambda f: img(f / "half_b.mrc", lambda a: a[:20, :20, :20], 6.0), 1,
     "{here}/half_b.mrc is 20 px of 6 Å, but {here}/half_a.mrc is 32 px of 6 Å; resample one of them first."),
    (FSC, lambda f: img(f / "half_b.mrc", lambda a: a, 5.0), 1,
     "{here}/half_b.mrc is 32 px of 5 Å, but {here}/half_a.mrc is 32 px of 6 Å; resample one of them first."),
    ("fsc half_a.mrc half_a.mrc", nothing, 1,
     "{here}/half_a.mrc and {here}/half_a.mrc are the same map; expected two independent half maps."),
    ("fsc half_a.mrc", nothing, 2,
     "Missing argument 'HALF_B'. Try 'spa fsc --help'."),
    (FSC, lambda f: img(f / "half_b.mrc", nan, 6.0), 1,
     "{here}/half_b.mrc holds 32 pixels that are no numbers (NaN or infinite): make the image again."),
    (FSC, lambda f: img(f / "half_b.mrc", lambda a: a * 0, 6.0), 1,
     "{here}/half_b.mrc is 0 everywhere; expected a map with density: make it again."),
    (FSC + " --mask mask.mrc", lambda f: img(f / "mask.mrc", lambda a: a[:20, :20, :20], 6.0), 1,
     "{here}/mask.mrc is 20 px of 6 Å, but {here}/half_a.mrc is 32 px of 6 Å; resample one of them first."),
    (FSC + " --mask mask.mrc", lambda f: img(f / "mask.mrc", lambda a: a * 0, 6.0), 1,
     "{here}/mask.mrc is 0 everywhere; expected a map with density: make it again."),
    (FSC + " --randomise-at-fsc 3", nothing, 1,
     "fsc: randomise_at_fsc is '3', but input should be less than 1."),
    (SHARPEN, nothing, 1,
     "The resolution of the map is not known; give fsc (FSC curves) or resolution_A."),
    (SHARPEN + " --resolution-A 2", nothing, 1,
     "resolution_A is 2, beyond the Nyquist limit of the map, 12 Å; give the resolution that it has."),
    (SHARPEN + " --resolution-A -3", nothing, 1,
     "sharpen: resolution_A is '-3', but input should be greater than 0."),
    (SHARPEN + " --resolution-A 15 --b-factor-A2 1e9", nothing, 1,
     "sharpen: b_factor_A2 is '1e9', but input should be less than or equal to 2000."),
    (SHARPEN + " --fsc fsc.csv", lambda f: put(f / "fsc.csv", "resolution_A,corrected\n3,1\n2,0\n"), 1,
     "{here}/fsc.csv has 2 shells, but the map of 32 px has 16; give the curves of this map."),
    (SHARPEN + " --fsc fsc.csv", lambda f: put(f / "fsc.csv", "a,b\n1,2\n"), 1,
     "{here}/fsc.csv has no column resolution_A; it has a, b: give an fsc.csv."),
    (SHARPEN + " --fsc fsc.csv", lambda f: put(f / "fsc.csv", "resolution_A,corrected\n3,one\n"), 1,
     "{here}/fsc.csv: row 1 of corrected is 'one'; expected a number: mend or leave out the row."),
    (SHARPEN + " --fsc fsc.csv", lambda f: (f / "fsc.csv").write_bytes(b"\xff\x00" * 20), 1,
     "{here}/fsc.csv is not a readable CSV table; expected FSC curves: write it with the fsc step."),
    (SHARPEN + " --resolution-A 15", lambda f: img(f / "map.mrc", lambda a: a * 0, 6.0), 1,
     "{here}/map.mrc is 0 everywhere; expected a map with density: make it again."),
    ("flip-hand map.mrc --particles particles.star",
     lambda f: edit(f / "particles.star", "particles", "rlnAngleRot"), 1,
     "{here}/particles.star has no column rlnAngleRot; this step needs it: was an earlier step left out?"),
    ("flip-hand map.mrc --particles particles.star",
     lambda f: edit(f / "particles.star", "particles", "rlnAngleTilt", 5, "up"), 1,
     "{here}/particles.star: row 6 of rlnAngleTilt is 'up'; expected a number: mend or leave out the row."),
    ("compare-maps map.mrc half_a.mrc", lambda f: img(f / "half_a.mrc", lambda a: a * 0, 6.0), 1,
     "{here}/half_a.mrc is 0 everywhere; expected a map with density: make it again."),
    ("compare-maps map.mrc half_a.mrc --symmetry Q", nothing, 1,
     "compare_maps: symmetry is 'Q', but symmetry 'Q' is not a point group; expected C1, C2 …, D1, D2 …, T, O,"
     " I, I1, I2, I3 or I4."),
    ("simulate --model nowhere.pdb", nothing, 1,
     "simulate: no file matches 'nowhere.pdb' for model; check the path."),
    ("simulate --model micrographs.star", nothing, 1,
     "{here}/micrographs.star holds no atoms; expected an atomic model in PDB or mmCIF format."),
    ("simulate --preset huge", nothing, 1,
     "simulate: preset is 'huge', but input should be 'small' or 'workshop'."),
    ("transmogrify map.mrc", nothing, 2,
     "No such command 'transmogrify'. Try 'spa --help'."),
    ("fsc half_a.mrc half_b.mrc --nonsense 3", nothing, 2,
     "No such option '--nonsense'. Did you mean '--seed'? Try 'spa fsc --help'."),
    ("fsc half_a.mrc half_b.mrc --device tpu", nothing, 2,
     "Invalid value for '--device': 'tpu' is not one of 'auto', 'cpu', 'gpu'. Try 'spa fsc --help'."),
    ("fsc half_a.mrc half_b.mrc --seed -1", nothing, 2,
     "Invalid value for '--seed': -1 is not in the range 0<=x<=2147483647. Try 'spa fsc --help'."),
    ("flip-hand map.mrc --out map.mrc", nothing, 1,
     "Cannot make the folder {here}/map.mrc: File exists; choose another --out."),
    ("flip-hand map.mrc --out map.mrc/deep", nothing, 1,
     "Cannot make the store {here}/map.mrc/.spa/store: Not a directory; choose a folder that you can write."),
    ("flip-hand map.mrc --store map.mrc", nothing, 1,
     "Cannot make the store {here}/map.mrc: Not a directory; choose a folder that you can write."),
    ("fetch everything d", nothing, 1,
     "There is no data set 'everything'; there are empiar-10291-50mic."),
    ("verify nowhere", nothing, 1,
     "{here}/nowhere is neither a store, a project nor a folder that spa made; give one of these."),
    ("flip-hand map.mrc map.mrc", nothing, 2,
     "Got unexpected extra argument (map.mrc) Try 'spa flip-hand --help'."),
    ("flip-hand '*.mrc'", nothing, 1,
     "VOLUME takes one file, 6 match '*.mrc'; give one of them."),
]
# fmt: on
