"""What looks wrong is in a job's log too, each thing once, for those who saw no form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spa_widgets.guard.before import findings_at_start
from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.session.context import Cancelled
from spa_widgets.session.execute import execute
from spa_widgets.session.registry import get_step, load_steps
from spa_widgets.session.spec import JobSpec, RawFiles
from spa_widgets.session.store import Store
from tests.support.particle_files import write_particles

SIZE_A = 6.0


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    load_steps()
    folder = tmp_path_factory.mktemp("start")
    write_particles(folder, 12, 32, SIZE_A)
    volume = read_mrc(folder / "volume.mrc")[0]
    write_mrc(folder / "black.mrc", -volume, SIZE_A)
    rng = np.random.default_rng(2)
    noise = [rng.normal(0, volume.std(), volume.shape).astype(np.float32) for _ in range(3)]
    write_mrc(folder / "half_a.mrc", volume + noise[0], SIZE_A)
    write_mrc(folder / "half_b.mrc", volume + noise[1], SIZE_A)
    write_mrc(folder / "again.mrc", volume + noise[0] + 1e-3 * noise[2], SIZE_A)
    return folder


def warnings(folder: Path, place: Path, step: str, params: dict[str, Any], **files: str) -> list[str]:
    store = Store.open(place / "store")
    inputs = {name: RawFiles((folder / file,)) for name, file in files.items()}
    return list(store.get(execute(JobSpec(step, params, inputs), store, "cpu")).result["warnings"])


def begin(sentences: list[str], start: str) -> int:
    return sum(sentence.startswith(start) for sentence in sentences)


@pytest.mark.parametrize("step", ["fsc", "local_resolution"])
def test_halves_that_are_no_halves(here: Path, tmp_path: Path, step: str) -> None:
    said = warnings(here, tmp_path, step, {}, half_a="half_a.mrc", half_b="again.mrc")
    assert begin(said, "half_a.mrc and again.mrc agree to 1.0000") == 1, said
    said = warnings(here, tmp_path, step, {}, half_a="half_a.mrc", half_b="half_b.mrc")
    assert not any("agree to" in sentence for sentence in said), said


def test_the_reference_of_a_refinement(here: Path, tmp_path: Path) -> None:
    said: list[str] = []
    inputs = {"particles": RawFiles((here / "particles.star",)), "volume": RawFiles((here / "black.mrc",))}
    spec = JobSpec("refine", {"symmetry": "C7", "mask_diameter_A": 150.0}, inputs)

    def note(event: dict[str, Any]) -> None:
        if event["kind"] == "warning":
            said.append(event["message"])

    with pytest.raises(Cancelled):
        execute(spec, Store.open(tmp_path / "store"), "cpu", note, is_cancelled=lambda: bool(said))
    assert begin(said, "The particle seems to be black in black.mrc") == 1, said


def test_symmetry_is_left_to_the_refinement_itself(here: Path) -> None:
    params = get_step("refine").params(symmetry="C7", align_symmetry=True)
    files = {"particles": [here / "particles.star"], "volume": [here / "volume.mrc"]}
    assert findings_at_start("refine", params, files) == []
