"""Ctrl-C while the tutorial runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
from pathlib import Path
import nbformat
from spa_widgets.tutorial.data import TutorialSettings
from spa_widgets.tutorial.run import _execute

cell = "import os, signal, time; os.kill(os.getppid(), signal.SIGINT); time.sleep(60)"
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
try:
    _execute(notebook, TutorialSettings(out=sys.argv[1]), Path(sys.argv[1]), None)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_is_an_interruption_and_no_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, encoding="utf-8", timeout=120, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "interrupted"), done.stderr[-2000:]
