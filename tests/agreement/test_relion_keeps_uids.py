"""Particles that go from cryoSPARC through RELION and back have all their columns again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from spa_widgets.cli import main
from spa_widgets.io.cs_file import read_dataset
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.mrc import read_mrc


def test_a_dataset_comes_back_from_relion(shared_data: Path, relion: Callable[..., str], tmp_path: Path) -> None:
    source = shared_data / "formats" / "empiar_10076_7.cs"
    assert main(["convert", str(source), "--out", str(tmp_path / "a.star")]) == 0
    limits = ["--select", "rlnDefocusU", "--minval", "15180", "--maxval", "15304"]
    relion(tmp_path, "relion_star_handler", "--i", "a.star", "--o", "b.star", *limits)
    back = ["convert", str(tmp_path / "b.star"), "--out", str(tmp_path / "b.cs"), "--passthrough", str(source)]
    assert main(back) == 0
    found, given = read_dataset(tmp_path / "b.cs"), read_dataset(source)
    expected = given[(given["ctf/df1_A"] > 15180) & (given["ctf/df1_A"] < 15304)]
    assert 0 < len(expected) < len(given)
    for name in ("uid", "blob/idx", "blob/import_sig", "ctf/type", "ctf/exp_group_id", "ctf/tilt_A", "ctf/anisomag"):
        assert np.array_equal(found[name], expected[name]), name
    assert np.allclose(found["ctf/df1_A"], expected["ctf/df1_A"], atol=0.01)


def test_relion_reads_the_images_of_a_dataset(shared_data: Path, relion: Callable[..., str], tmp_path: Path) -> None:
    """cryoSPARC's stacks end in .mrc, which RELION takes for a single image unless the name says what it is."""
    source = shared_data / "formats" / "empiar_10076_7.cs"
    assert main(["convert", str(source), "--out", str(tmp_path / "a.star")]) == 0
    relion(tmp_path, "relion_stack_create", "--i", "a.star", "--o", "copied")
    images = ParticleSet.read(tmp_path / "a.star").to_engine().images()
    sign = ParticleSet.read(source).table["spaImageSign"].to_numpy(np.float32)[:, None, None]
    copied, _ = read_mrc(tmp_path / "copied.mrcs")
    assert len(copied) == 7
    assert np.array_equal(images * sign, copied)
