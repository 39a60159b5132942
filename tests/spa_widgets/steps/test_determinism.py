"""The same bits from every long job, from run to run and whatever the number of threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tiny_chain import STEPS

ROOT = Path(__file__).resolve().parents[3]
THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
CODE = """
import json, sys
from pathlib import Path
import numba
from spa_widgets.session.store import Store
from tests.support.tiny_chain import content, run_chain
store = Store.open(sys.argv[1])
made = {step: content(store.get(key), store.path) for step, key in run_chain(store).items()}
print(json.dumps([numba.get_num_threads(), made]))
"""


def run_with(threads: int, folder: Path) -> dict[str, dict[str, str]]:
    """Run all jobs in a process of its own that has so many threads."""
    environment = {**os.environ, **dict.fromkeys(THREADS, str(threads)), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", CODE, str(folder)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    used, made = json.loads(done.stdout.splitlines()[-1])
    assert used == threads
    return dict(made)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("threads")
    return [run_with(threads, folder / str(threads)) for threads in (1, 3)]


@pytest.mark.parametrize("step", STEPS)
def test_the_number_of_threads_changes_no_bit(runs: list[dict[str, dict[str, str]]], step: str) -> None:
    one, three = (run[step] for run in runs)
    assert len(one) > 2
    assert three == one
