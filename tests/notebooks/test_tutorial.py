"""The tutorial runs from top to bottom without a person and reaches what it promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

from spa_widgets.tutorial.data import TutorialSettings

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    """One unattended run with an empty store: its folder, its results and what it printed."""
    out = tmp_path_factory.mktemp("tutorial") / "out"
    command = [
        sys.executable,
        "-m",
        "spa_widgets.cli",
        "tutorial",
        "--preset",
        "small",
        "--out",
        str(out),
        "--device",
        "cpu",
    ]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return out, json.loads((out / "results.json").read_text(encoding="utf-8")), done.stdout


def figures(run: tuple[Path, dict[str, Any], str], check: str) -> dict[str, Any]:
    found: dict[str, Any] = run[1]["checks"][check]["figures"]
    return found


def test_defocus_is_right_to_one_percent(run: tuple[Path, dict[str, Any], str]) -> None:
    assert figures(run, "ctf")["mean error of defocus"] <= 1.0


def test_template_picks_find_the_objects(run: tuple[Path, dict[str, Any], str]) -> None:
    found = figures(run, "picks")
    assert found["recall: objects that were found"] >= 0.85
    assert found["precision: picks that are objects"] >= 0.85


def test_selected_classes_hold_the_particles(run: tuple[Path, dict[str, Any], str]) -> None:
    found = figures(run, "classes")
    assert found["particles among the selected images"] >= 0.90
    assert found["extracted particles that were kept"] >= 0.90


def test_map_is_as_good_as_its_particles_allow(run: tuple[Path, dict[str, Any], str]) -> None:
    found = figures(run, "map")
    assert found["FSC 0.5 with the true map"] <= 12.0
    assert found["ratio"] <= 1.3
    assert 0.8 <= found["half maps to truth"] <= 1.2
    for name in ("FSC 0.5 with the true map", "half maps, corrected FSC 0.143"):
        assert found[name] > 1.05 * found["Nyquist"], f"{name} runs into Nyquist"


def test_memory_of_all_processes_fits_a_free_binder(run: tuple[Path, dict[str, Any], str]) -> None:
    assert 0 < run[1]["peak_memory_pss_MB"] <= 2000


def test_it_leaves_notebook_report_and_maps_and_says_where(run: tuple[Path, dict[str, Any], str]) -> None:
    out, results, printed = run
    notebook = nbformat.read(out / "tutorial.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("<img") + page.count("<svg") >= 5  # static pictures stand for the widgets
    assert (out / "maps" / "map.mrc").stat().st_size > 1024
    for place in (out / "tutorial.ipynb", out / "report.html", out / "maps"):
        assert str(place) in printed
    steps = [job["step"] for job in results["jobs"]]
    assert all(name in printed for name in steps)
    assert "refine" in steps


_TABLES = """
import json
tables = {
    "picks": truth_table(data, "picks", kept),
    "cs": truth_table(data, "ctf", both),
    "symmetry": as_table({"C8": known.refined, **turned}, {"resolution_A": "claimed", "symmetry_score": "agreement"}),
    "ice": as_table(noise, {"resolution_A": "claimed"}),
}
print(json.dumps({name: table.to_dict() for name, table in tables.items()}))
"""


@pytest.fixture(scope="module")
def experiments(run: tuple[Path, dict[str, Any], str]) -> dict[str, pd.DataFrame]:
    """The notebook of experiments, run where the tutorial ran: the tables that it shows."""
    notebook = jupytext.read(Path(__file__).resolve().parents[2] / "notebooks" / "experiments.py")
    notebook.cells.append(nbformat.v4.new_code_cell(_TABLES))
    settings = TutorialSettings(out=str(run[0]), device="cpu")
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(run[0])}})
    client.execute(env={**os.environ, **settings.to_environment()})
    shown = json.loads(notebook.cells[-1].outputs[0]["text"])
    return {name: pd.DataFrame(table) for name, table in shown.items()}


def test_experiments_show_what_their_answers_say(experiments: dict[str, pd.DataFrame]) -> None:
    recall, precision = experiments["picks"].iloc[:, 0], experiments["picks"].iloc[:, 1]
    assert recall["0.2"] > recall["0.45"] and precision.drop("automatic").is_monotonic_increasing
    f1 = 2 * recall * precision / (recall + precision)
    assert f1["automatic"] > f1.max() - 0.03
    error = experiments["cs"]["mean error of defocus in Å"]
    assert error["Cs 1.6 mm"] < error["Cs 2.7 mm"] < 2 * error["Cs 1.6 mm"]
    claimed, agreement = experiments["symmetry"]["claimed"], experiments["symmetry"]["agreement"]
    assert claimed["C7"] < claimed["C1"] and agreement["C7"] < 0.2 < 0.5 < agreement["C8"]
    ice = experiments["ice"]["claimed"]
    assert ice["8 Å"] < ice["30 Å"] - 2.0 < 25.0
