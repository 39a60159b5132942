"""Cryo-EM single-particle analysis in a notebook: a session, its jobs, and widgets around them.

Names are imported when they are first used, so that a script or a worker loads no widget library.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "Session": "spa_widgets.session.session",
    "UserError": "spa_widgets.errors",
    "ManualPicker": "spa_widgets.steps.manual_picks.widget",
    "CTFInspector": "spa_widgets.steps.estimate_ctf.widget",
    "PickInspector": "spa_widgets.steps.inspect_picks.widget",
    "ClassGallery": "spa_widgets.steps.select_2d.widget",
    "FSCPlot": "spa_widgets.steps.fsc.widget",
    "VolumeViewer": "spa_widgets.viewers.volume.widget",
    "ImageViewer": "spa_widgets.viewers.flat.widget",
    "JobPanel": "spa_widgets.viewers.jobs.widget",
    "JobView": "spa_widgets.viewers.jobs.widget",
    "SessionTree": "spa_widgets.viewers.jobs.widget",
    "StepForm": "spa_widgets.viewers.form.widget",
    "SweepView": "spa_widgets.viewers.sweep.widget",
}

__all__ = [*_WHERE, "__version__"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _WHERE:
        raise AttributeError(f"module 'spa_widgets' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
