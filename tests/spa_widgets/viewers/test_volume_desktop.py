"""The window of desktop napari on a virtual screen: it takes over what it is told and tells what is changed in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spa_widgets.viewers.volume.renderer import missing_qt

ROOT = Path(__file__).parents[3]
WINDOW = """
from multiprocessing import Pipe
import numpy as np
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication
from spa_widgets.viewers.volume.desktop_process import _Window
from spa_widgets.viewers.volume.mirror import Mirror
from tests.support.widget_data import ball

model = ViewerModel(ndisplay=3)
model.add_image(ball(), name="map", rendering="mip")
kernel = Mirror(model, lambda: None, "k", without=("zoom",))
here, there = Pipe()
window = _Window(there)
here.send(("changes", [("title", "maps"), *kernel.everything()]))

def exchange():
    for _ in range(20):
        QApplication.processEvents()
        window._look()
        while here.poll():
            kernel.apply(here.recv()[1])

exchange()
seen = window._viewer
assert [layer.name for layer in seen.layers] == ["map"] and seen.title == "maps"
seen.layers["map"].iso_threshold = 0.125
seen.scene.camera.angles = (10, 20, 30)
seen.add_points(np.array([[1.0, 2, 3]]), name="atoms")
exchange()
assert model.layers["map"].iso_threshold == 0.125 and "atoms" in model.layers
assert np.allclose(model.scene.camera.angles, (10, 20, 30), atol=1e-3)
here.send(("changes", [("remove", kernel.key_of(model.layers["atoms"]))]))
exchange()
assert "atoms" not in seen.layers
here.send(("close",))
exchange()
print("both sides agree")
"""


@pytest.mark.skipif(not shutil.which("xvfb-run") or bool(missing_qt()), reason="needs xvfb-run and a Qt binding")
def test_window_and_kernel_see_each_others_changes() -> None:
    done = subprocess.run(
        ["xvfb-run", "-a", "-s", "-screen 0 1024x768x24 +extension GLX", sys.executable, "-W", "ignore", "-c", WINDOW],
        cwd=ROOT, env={**os.environ, "QT_QPA_PLATFORM": "xcb"}, capture_output=True, encoding="utf-8", timeout=240,
        check=False,
    )  # fmt: skip
    assert "both sides agree" in done.stdout, done.stderr[-2000:]
