"""Every real file of the field that is at hand is read, and holds what is known of it."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest

from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.mrc import mrc_pixel_size_A, read_mrc
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import read_star

# (z, y, x), Å per px (0: not stated), mean, standard deviation
MRC = {
    # an electron diffraction map whose columns run along z, with symmetry records in its extended header
    "EMD-3001.map": ((73, 25, 43), 0.44825, 5.3297e-4, 0.157057),
    "EMD-3197.map": ((20, 20, 20), 11.4, 0.783612, 2.399953),
    "clean70SRibosome_vol_65p.mrc": ((65, 65, 65), 0.0, 1.62588e-6, 6.88004e-5),
    "empiar_10076_7.mrc": ((7, 320, 320), 0.0, -3.43437e-3, 1.005142),
    "rln_proj_64_centered.mrcs": ((4, 64, 64), 1.0, 8.80079e-5, 1.419351e-3),
    "rln_proj_64_shifted.mrcs": ((4, 64, 64), 1.0, 8.80079e-5, 1.419351e-3),
}
# table, rows, column, its last cell
STAR = {
    "autopick.star": ("coordinate_files", 24, "rlnMicrographName",
                      "MotionCorr/job002/Movies/20170629_00049_frameImage.mrc"),
    "default_pipeline.star": ("pipeline_processes", 8, "rlnPipeLineProcessStatusLabel", "Running"),
    "empiar_10076_7.star": ("particles", 7, "rlnDefocusV", 14792.7),
    "job.star": ("joboptions_values", 59, "rlnJobOptionValue", "No"),
    "micrographs_ctf.star": ("micrographs", 24, "rlnCtfMaxResolution", 3.317452),
    "mtf_k2_200kV.star": ("mtf_k2_200kv", 200, None, None),
    "particles_1k.star": ("particles", 1000, "rlnImageId", 2610),
    "relion31.6opticsgroups.star": ("particles", 139, "rlnCoordinateY", 1792.0),
    "relion_postprocess.star": ("general", 1, "rlnFinalResolution", 3.03299),
    "rln_proj_64_centered.star": ("particles", 4, "rlnAngleTilt", 105.017323),
    "rln_proj_64_shifted.star": ("particles", 4, "rlnOriginXAngst", -13.0),
    "run_it025_model.star": ("model_optics_group_1", 33, "rlnSigma2Noise", 6.07595e-5),
}  # fmt: skip
# particles, uid of the last, and what else is known of it (cryoSPARC counts classes and half sets from 0)
CS: dict[str, tuple[int, str, dict[str, float]]] = {
    "cryosparc_J2_particles_exported.cs": (
        22, "683087828395958158", {"rlnDefocusU": 16412.178, "rlnClassNumber": 4, "rlnOriginXAngst": -6 * 1.345}),
    "cryosparc_P12_J24_001_particles.cs": (
        2019, "2601904955171077498",
        {"rlnDefocusU": 22815.318, "rlnRandomSubset": 2, "rlnOriginYAngst": 8.296875 * 2.95}),
    "empiar_10076_7.cs": (
        7, "15794596182751007962", {"rlnDefocusU": 15177.4, "rlnDefocusAngle": np.rad2deg(0.092153385)}),
}  # fmt: skip


@pytest.fixture
def folder(shared_data: Path) -> Path:
    return shared_data / "formats"


def test_every_file_is_told_here(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {*MRC, *STAR, *CS}


@pytest.mark.parametrize("name", MRC)
def test_images_and_maps(folder: Path, name: str) -> None:
    shape, pixel_size_A, mean, deviation = MRC[name]
    data, found_A = read_mrc(folder / name)
    assert data.shape == shape and found_A == mrc_pixel_size_A(folder / name) == pytest.approx(pixel_size_A)
    assert data.mean(dtype=float) == pytest.approx(mean, rel=1e-4)
    assert data.std(dtype=float) == pytest.approx(deviation, rel=1e-4)


def test_projections_differ_by_their_origins(folder: Path) -> None:
    """Of RELION's two stacks one is the other, moved by whole pixels around the box."""
    origins = read_star(folder / "rln_proj_64_shifted.star")["particles"][["rlnOriginXAngst", "rlnOriginYAngst"]]
    centred, moved = (read_mrc(folder / f"rln_proj_64_{kind}.mrcs")[0] for kind in ("centered", "shifted"))
    for image, other, (x, y) in zip(centred, moved, origins.to_numpy(int), strict=True):
        assert np.allclose(np.roll(other, (y, x), axis=(0, 1)), image, atol=1e-6)


def test_what_is_written_is_new_and_has_no_extended_header(folder: Path, tmp_path: Path) -> None:
    data, pixel_size_A = read_mrc(folder / "EMD-3001.map")
    write_mrc(tmp_path / "new.mrc", data, pixel_size_A)
    with mrcfile.open(folder / "EMD-3001.map") as old, mrcfile.open(tmp_path / "new.mrc") as new:
        assert (int(old.header.nsymbt), int(new.header.nsymbt)) == (160, 0)
    assert np.array_equal(read_mrc(tmp_path / "new.mrc")[0], data)


@pytest.mark.parametrize("name", STAR)
def test_tables(folder: Path, name: str) -> None:
    table, rows, column, last = STAR[name]
    frame = read_star(folder / name)[table]
    assert len(frame) == rows
    if column is None:  # an MTF falls from 1 at zero frequency to Nyquist, and is nowhere negative
        assert frame["rlnResolutionInversePixel"].is_monotonic_increasing
        values = frame["rlnMtfValue"].to_numpy(float)
        assert values[0] == 1 and values[-1] < 0.5 and (values >= 0).all()
    elif isinstance(last, str):
        assert frame[column].iloc[-1] == last
    else:
        assert frame[column].iloc[-1] == pytest.approx(last)


@pytest.mark.parametrize("name", CS)
def test_datasets(folder: Path, name: str) -> None:
    count, uid, facts = CS[name]
    particles = ParticleSet.read(folder / name)
    last = particles.table.iloc[-1]
    assert particles.count == count and last["csUid"] == uid
    assert {column: last[column] for column in facts} == pytest.approx(facts, rel=1e-5)
