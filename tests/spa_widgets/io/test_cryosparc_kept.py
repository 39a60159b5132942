"""Columns of cryoSPARC that are not translated come back when particles that were a dataset become one again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from spa_widgets.cli import main
from spa_widgets.io.cs_file import read_dataset, write_dataset
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.mrc_write import write_mrc

# what is translated to RELION's terms and back: to single precision, and paths are made absolute
TRANSLATED = ("blob/path", "blob/psize_A", "ctf/df_angle_rad", "ctf/phase_shift_rad", "alignments2D/pose",
              "alignments2D/shift", "alignments2D/psize_A")  # fmt: skip


def spa(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture
def dataset(shared_data: Path, tmp_path: Path, rng: np.random.Generator) -> Path:
    """A real 2D classification with its columns, a small stack in place of its images, and a passthrough file."""
    rows = read_dataset(shared_data / "formats" / "cryosparc_J2_particles_exported.cs")
    assert rows.dtype.names is not None
    columns = {name: rows[name].copy() for name in rows.dtype.names}
    write_mrc(tmp_path / "stack.mrcs", rng.standard_normal((len(rows), 8, 8)), 2.0, is_stack=True)
    columns["blob/path"] = np.array(["stack.mrcs"] * len(rows))
    columns["blob/idx"] = np.arange(len(rows), dtype=np.uint32)
    columns["blob/shape"] = np.full((len(rows), 2), 8, np.uint32)
    columns["blob/psize_A"][:] = columns["alignments2D/psize_A"]
    write_dataset(tmp_path / "J2_particles.cs", columns)
    order = rng.permutation(len(rows))
    passed = {
        "uid": rows["uid"],
        "sym_expand/src_uid": rows["uid"] // 2,
        "note/text": np.array([b"as it is"] * len(rows)),
    }
    write_dataset(tmp_path / "J2_passthrough.cs", {name: values[order] for name, values in passed.items()})
    return tmp_path / "J2_particles.cs"


def assert_same(found: NDArray[np.void], given: NDArray[np.void], but: tuple[str, ...] = ()) -> None:
    for name in set(given.dtype.names or ()) - set(but):
        assert found[name].dtype == given[name].dtype or given[name].dtype.kind == "S", name
        if name in TRANSLATED and given[name].dtype.kind == "f":
            assert np.allclose(found[name], given[name], rtol=1e-5, atol=1e-6), name
        elif name != "blob/path":
            assert np.array_equal(found[name], given[name]), name


def test_every_column_comes_back(dataset: Path) -> None:
    assert spa("convert", dataset, "--out", dataset.parent / "again.cs") == 0
    found, given = read_dataset(dataset.parent / "again.cs"), read_dataset(dataset)
    assert_same(found, given)
    assert "alignments3D/pose" not in (found.dtype.names or ())  # nobody has given a view
    # the passthrough file's rows lie in another order
    assert np.array_equal(found["sym_expand/src_uid"], given["uid"] // 2) and set(found["note/text"]) == {b"as it is"}


def test_of_fewer_particles_with_new_values(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here, given = dataset.parent, read_dataset(dataset)
    chosen = ParticleSet.read(dataset).with_absolute_names().take([7, 3, 11])
    table = chosen.table.assign(rlnDefocusU=[9000.0, 9100.0, 9200.0], rlnAngleTilt=30.0, rlnClassNumber=5)
    chosen.with_table(table).write(here / "chosen.star")
    assert spa("convert", here / "chosen.star", "--out", here / "back.cs", "--passthrough", dataset) == 0
    found, expected = read_dataset(here / "back.cs"), given[[7, 3, 11]]
    assert_same(found, expected, but=("ctf/df1_A",))  # the former 2D alignment too: the new one is in 3D
    assert found["ctf/df1_A"].tolist() == [9000, 9100, 9200] and (found["alignments3D/class"] == 4).all()
    assert np.array_equal(found["sym_expand/src_uid"], expected["uid"] // 2)
    assert spa("convert", here / "chosen.star", "--out", here / "bare.cs") == 0
    assert "ctf/tilt_A" not in (read_dataset(here / "bare.cs").dtype.names or ())
    write_dataset(here / "few.cs", {"uid": given["uid"][:5]})
    capsys.readouterr()
    assert spa("convert", here / "chosen.star", "--out", here / "no.cs", "--passthrough", here / "few.cs") == 1
    assert "few.cs lacks 2 of the 3 particles (by uid); expected the dataset" in capsys.readouterr().err
    chosen.with_table(table.assign(csUid="7.5")).write(here / "odd.star")
    assert spa("convert", here / "odd.star", "--out", here / "no.cs", "--passthrough", dataset) == 1
    assert "odd.star has a cell in csUid that is no whole number" in capsys.readouterr().err
    chosen.with_table(table.drop(columns="csUid")).write(here / "odd.star")
    assert spa("convert", here / "odd.star", "--out", here / "no.cs", "--passthrough", dataset) == 1
    assert "has no csUid, by which cryoSPARC's columns are found" in capsys.readouterr().err
    assert not (here / "no.cs").exists()
    assert spa("convert", dataset, "--out", here / "no.star", "--passthrough", dataset) == 1
    assert "no.star has no columns of cryoSPARC's" in capsys.readouterr().err


def test_real_particles_keep_their_aberrations(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "formats" / "empiar_10076_7.cs"
    assert spa("convert", source, "--out", tmp_path / "again.cs") == 0
    assert_same(read_dataset(tmp_path / "again.cs"), read_dataset(source))
    a, b = ParticleSet.read(source).to_engine(), ParticleSet.read(tmp_path / "again.cs").to_engine()
    assert np.array_equal(a.images(), b.images())
