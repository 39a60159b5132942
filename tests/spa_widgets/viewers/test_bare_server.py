"""Maps and pictures are shown on a server that has no library to draw with."""

import subprocess
import sys

_WITHOUT = """
import ctypes.util
find = ctypes.util.find_library
ctypes.util.find_library = lambda name: None if name in ("fontconfig", "GL", "GLESv2") else find(name)
import numpy as np
from spa_widgets import ImageViewer, VolumeViewer
grey = np.random.default_rng(0).random((16, 16, 16), np.float32)
viewer = VolumeViewer(grey, pixel_size_A=2.0)
viewer.model.add_points(np.zeros((1, 3)))
pictures = ImageViewer(grey, pixel_size_A=2.0)
print(len(viewer.model.layers), pictures.count)
"""


def test_models_of_napari_need_no_library_that_draws():
    done = subprocess.run([sys.executable, "-c", _WITHOUT], capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["2", "16"]), done.stderr[-2000:]
