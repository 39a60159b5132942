"""The steps of the tutorial, a folder each; importing this package registers them all (without their jobs)."""

from __future__ import annotations

import importlib

# the order in which a person meets them
ORDER = (
    "simulate",
    "correct_motion",
    "import_micrographs",
    "estimate_ctf",
    "select_micrographs",
    "manual_picks",
    "pick_blobs",
    "pick_templates",
    "inspect_picks",
    "extract",
    "classify_2d",
    "select_2d",
    "initial_model",
    "refine",
    "fsc",
    "sharpen",
    "local_resolution",
    "flip_hand",
    "compare_maps",
)

for _name in ORDER:
    importlib.import_module(f"spa_widgets.steps.{_name}.params")
