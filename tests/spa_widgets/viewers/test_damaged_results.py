"""Widgets on results that were damaged since they were made: one sentence that names the file, word for word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spa_widgets import ClassGallery, CTFInspector, FSCPlot, ManualPicker, UserError, VolumeViewer
from spa_widgets.io.mrc_write import write_mrc
from tests.support.widget_data import PIXEL_A, ball, make_classes, make_fsc, make_micrographs, make_spectra


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def with_objects(path: Path) -> None:
    """A file that would run code when it was unpickled."""
    np.savez(path, names=np.array([print], dtype=object))


def one_cell(path: Path, row: int, column: int, text: str) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    cells = lines[row].split(",")
    cells[column] = text
    lines[row] = ",".join(cells)
    path.write_text("\n".join(lines), encoding="utf-8")


NPZ = "{here}/mics/spectra.npz is damaged; expected arrays (.npz): delete it and run the step again."
CLASSES = "expected a row of numbers for each class: run the step that made it again."
CASES: list[tuple[str, Callable[[Path], Any], Callable[[Path], Any], str]] = [
    ("half spectra", lambda f: CTFInspector(None, f / "mics/micrographs.star"), lambda f: half(f / "mics/spectra.npz"),
     NPZ),
    ("empty spectra", lambda f: CTFInspector(None, f / "mics/micrographs.star"),
     lambda f: (f / "mics/spectra.npz").write_bytes(b""), NPZ),
    ("pickled spectra", lambda f: CTFInspector(None, f / "mics/micrographs.star"),
     lambda f: with_objects(f / "mics/spectra.npz"), NPZ),
    ("other arrays", lambda f: CTFInspector(None, f / "mics/micrographs.star"),
     lambda f: np.savez(f / "mics/spectra.npz", names=np.array(["a"])),
     "{here}/mics/spectra.npz has no array pictures; it is of another kind: run the step again."),
    ("binary classes.csv", lambda f: ClassGallery(None, f / "classes"),
     lambda f: (f / "classes/classes.csv").write_bytes(b"\xff\x00" * 40),
     "{here}/classes/classes.csv is not a readable CSV table; " + CLASSES),
    ("a word for a number", lambda f: ClassGallery(None, f / "classes"),
     lambda f: one_cell(f / "classes/classes.csv", 2, 1, "many"),
     "{here}/classes/classes.csv: row 2 of count is 'many'; expected a number: run the step that made it again."),
    ("half averages", lambda f: ClassGallery(None, f / "classes"), lambda f: half(f / "classes/class_averages.mrcs"),
     "{here}/classes/class_averages.mrcs is cut short: its header announces 32 × 32 × 6 px in 25600 bytes, the file "
     "has 12800: copy it again."),
    ("binary fsc.csv", lambda f: FSCPlot(f / "fsc.csv"), lambda f: (f / "fsc.csv").write_bytes(b"\xff\x00" * 40),
     "{here}/fsc.csv is not a readable CSV table; expected FSC curves: write it with the fsc step."),
    ("a word in fsc.csv", lambda f: FSCPlot(f / "fsc.csv"), lambda f: one_cell(f / "fsc.csv", 3, 0, "fine"),
     "{here}/fsc.csv: row 3 of resolution_A is 'fine'; expected a number: write it with the fsc step."),
    ("half a map", lambda f: VolumeViewer(f / "map.mrc"), lambda f: half(f / "map.mrc"),
     "{here}/map.mrc is cut short: its header announces 32 × 32 × 32 px in 132096 bytes, the file has 66048: copy it "
     "again."),
    ("damaged autosave", lambda f: ManualPicker(None, f / "mics/micrographs.star", autosave=f / "picks.json"),
     lambda f: (f / "picks.json").write_text('{"picks": [', encoding="utf-8"),
     "{here}/picks.json holds no picks; expected those that were kept in it: name another file for autosave, or delete "
     "it."),
]  # fmt: skip


@pytest.mark.parametrize(("show", "damage", "sentence"), [case[1:] for case in CASES], ids=[name for name, *_ in CASES])
def test_damage_gets_one_sentence(
    tmp_path: Path, show: Callable[[Path], Any], damage: Callable[[Path], Any], sentence: str
) -> None:
    make_spectra(make_micrographs(tmp_path / "mics"))
    make_classes(tmp_path / "classes")
    make_fsc(tmp_path / "fsc.csv")
    write_mrc(tmp_path / "map.mrc", ball(), PIXEL_A)
    damage(tmp_path)
    with pytest.raises(UserError) as caught:
        show(tmp_path)._need()
    said = str(caught.value).replace(str(tmp_path), "{here}")
    assert said == sentence
    assert len(said.splitlines()) == 1
