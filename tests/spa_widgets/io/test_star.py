"""STAR files of RELION 3.0 to 5, and of everybody else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import starfile

from spa_widgets.errors import UserError
from spa_widgets.io.datasets import MicrographSet, ParticleSet
from spa_widgets.io.star import read_star, write_star


def read(tmp_path: Path, text: str) -> dict[str, pd.DataFrame]:
    (tmp_path / "a.star").write_text(text, encoding="utf-8")
    return read_star(tmp_path / "a.star")


OLD = """
data_images

loop_
_rlnImageName #1
_rlnVoltage #2
_rlnSphericalAberration #3
_rlnAmplitudeContrast #4
_rlnDetectorPixelSize #5
_rlnMagnification #6
_rlnOriginX #7
_rlnOriginY #8
_rlnDefocusU
000001@a.mrcs 300.0 2.7 0.1 5.0 50000 1.5 -2 10000
000002@a.mrcs 300.0 2.7 0.1 5.0 50000 0 4 10000

000003@b.mrcs 200.0 2.7 0.1 5.0 50000 0 4 10000
"""


def test_relion_3_0_gets_optics_and_origins_in_angstrom(tmp_path: Path) -> None:
    tables = read(tmp_path, OLD)
    assert list(tables) == ["optics", "particles"]
    assert tables["optics"]["rlnVoltage"].tolist() == [300.0, 200.0]
    assert tables["optics"]["rlnImagePixelSize"].tolist() == [1.0, 1.0]
    assert tables["particles"]["rlnOpticsGroup"].tolist() == [1, 1, 2]
    assert tables["particles"]["rlnOriginXAngst"].tolist() == [1.5, 0.0, 0.0]
    assert "rlnOriginX" not in tables["particles"] and "rlnVoltage" not in tables["particles"]
    assert ParticleSet.read(tmp_path / "a.star").pixel_size_A == 1.0


def test_origins_in_px_of_each_group(tmp_path: Path) -> None:
    tables = read(
        tmp_path,
        "data_optics\nloop_\n_rlnOpticsGroup\n_rlnImagePixelSize\n1 1.5\n2 2.0\n"
        "data_particles\nloop_\n_rlnOriginX\n_rlnOriginY\n_rlnOpticsGroup\n2 -4 1\n2 -4 2\n",
    )
    assert tables["particles"]["rlnOriginXAngst"].tolist() == [3.0, 4.0]
    assert tables["particles"]["rlnOriginYAngst"].tolist() == [-6.0, -8.0]


STRANGE = """# comment
data_things  # of ours

loop_
_rlnMicrographName #1 the name
_otherCount #2
_otherWords
_rlnDefocusU
_rlnMaybe
_spaSmall
  007   0100  "two words"   15000.5   <NA>   1.25e-9
#   a comment between rows
  "a b.mrc"  1e5  'don"t'   inf   nan   -3
  it's.mrc   -    ""        -1e4  -nan  0

data_single

_rlnFinalResolution   3.5   # Å
_rlnName              "30 degrees"
"""


def test_quotes_comments_and_cells_that_are_no_numbers(tmp_path: Path) -> None:
    tables = read(tmp_path, STRANGE)
    things = tables["things"]
    assert things["rlnMicrographName"].tolist() == ["007", "a b.mrc", "it's.mrc"]
    assert things["otherCount"].tolist() == ["0100", "1e5", "-"]
    assert things["otherWords"].tolist() == ["two words", 'don"t', ""]
    assert things["rlnDefocusU"].tolist() == [15000.5, np.inf, -10000.0]
    assert things["rlnMaybe"].isna().all()
    assert things["spaSmall"].tolist() == [1.25e-9, -3.0, 0.0]
    assert tables["single"]["rlnFinalResolution"].tolist() == [3.5]
    assert tables["single"]["rlnName"].tolist() == ["30 degrees"]


def test_a_round_trip_changes_nothing(tmp_path: Path) -> None:
    tables = read(tmp_path, STRANGE)
    write_star(tmp_path / "b.star", tables)
    again = read_star(tmp_path / "b.star")
    for name, table in tables.items():
        pd.testing.assert_frame_equal(table, again[name])
    write_star(tmp_path / "c.star", again)
    assert (tmp_path / "b.star").read_bytes() == (tmp_path / "c.star").read_bytes()


def test_windows_line_ends_and_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_bytes(b"\xef\xbb\xbf" + OLD.replace("\n", "\r\n").encode())
    assert len(read_star(tmp_path / "a.star")["particles"]) == 3


def test_real_files_come_through(shared_data: Path, tmp_path: Path) -> None:
    """Every value of the files of RELION 3.0 to 5 as another reader has it, and again after writing."""
    files = sorted((shared_data / "formats").glob("*.star"))
    assert len(files) >= 10
    for file in files:
        ours, theirs = read_star(file), starfile.read(file, always_dict=True)
        write_star(tmp_path / "again.star", ours)
        again = read_star(tmp_path / "again.star")
        for name, table in ours.items():
            pd.testing.assert_frame_equal(table, again[name], rtol=1e-6, check_dtype=False)
        for name, block in theirs.items():
            if name not in ours:  # unnamed blocks of RELION 3.0 are given names
                continue
            expected = block if isinstance(block, pd.DataFrame) else pd.DataFrame([block])
            assert len(ours[name]) == len(expected), (file, name)
            for column in set(expected) & set(ours[name]):
                a, b = ours[name][column], expected[column]
                if pd.api.types.is_numeric_dtype(a):
                    assert np.allclose(a.to_numpy(float), b.to_numpy(float)), (file, column)
                elif not pd.api.types.is_numeric_dtype(b):
                    assert a.astype(str).tolist() == b.astype(str).tolist(), (file, column)


def test_micrographs_of_relion_are_micrographs(shared_data: Path) -> None:
    found = MicrographSet.read(shared_data / "formats" / "micrographs_ctf.star")
    assert found.count == 24 and found.pixel_size_A == 0.885
    assert float(found.optics.cs_mm[3]) == 1.4
    assert found.defocus.take(0).u_A == pytest.approx(10865.006836)
    with pytest.raises(UserError, match="is not there: move it back or import it again"):
        found.load(0)


def test_several_optics_groups(shared_data: Path, tmp_path: Path) -> None:
    mixed = ParticleSet.read(shared_data / "formats" / "relion31.6opticsgroups.star")
    assert mixed.pixel_size_A == 1.25  # the coarsest
    assert set(mixed.pixel_sizes_A) == {1.24, 1.25}
    assert set(mixed.optics.cs_mm) == {2.6, 2.7}
    assert not {"rlnMagMat00", "rlnOddZernike"} - set(mixed.optics_table)
    wanted = mixed.optics_table.loc[mixed.optics_table["rlnImagePixelSize"] == 1.25, "rlnOpticsGroup"]
    # the other groups may stay in the optics table: only those in use count
    assert mixed.take(np.flatnonzero(mixed.table["rlnOpticsGroup"].isin(wanted))).pixel_size_A == 1.25


def test_a_long_file_is_read_in_little_time(tmp_path: Path) -> None:
    import time

    count = 100_000
    table = pd.DataFrame(
        {
            "rlnImageName": [f"{i + 1:06d}@stack.mrcs" for i in range(count)],
            **{f"rlnColumn{i}": np.arange(count) * (i + 0.25) for i in range(10)},
        }
    )
    write_star(tmp_path / "long.star", {"particles": table})
    begun = time.process_time()
    found = read_star(tmp_path / "long.star")["particles"]
    seconds = time.process_time() - begun
    print(f"{count} rows of {table.shape[1]} columns in {seconds:.2f} s of CPU time")
    pd.testing.assert_frame_equal(found, table)
    assert seconds < 5
