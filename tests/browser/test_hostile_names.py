"""Every widget in a real page, with markup for names, labels and titles: nothing of it becomes an element."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.widget_data import make_hostile

pytestmark = pytest.mark.browser

HOSTILE = """'"><evil onclick=x()><img src=x onerror=window.evil=1>"""
WIDGETS = [
    "CTFInspector(None, here / 'micrographs.star')",
    "PickInspector(None, here / 'picks.star')",
    "ManualPicker(None, here / 'micrographs.star')",
    "ImageViewer(here / 'micrographs.star', picks=here / 'picks.star')",
    "ClassGallery(s, here / 'classes')",
    "FSCPlot(here / 'fsc.csv', here / 'fsc.csv', labels=[hostile, hostile])",
    "VolumeViewer(here / f'{hostile}.mrc', names=[hostile])",
    "StepForm(s, 'pick_blobs', micrographs=f'{hostile}.star')",
    "JobPanel(s)",
    "JobView(s.jobs[0])",
]


def test_no_name_becomes_an_element(open_notebook: Any, lab: Any) -> None:
    folder = lab.folder / HOSTILE
    make_hostile(folder, HOSTILE)
    start = (
        f"from pathlib import Path\nfrom spa_widgets import *\nhere, hostile = Path({str(folder)!r}), {HOSTILE!r}\n"
        f"s = Session({str(lab.folder / 'hostile-project')!r}, title=hostile, device='cpu')\n"
        "s.import_micrographs(str(here / '*.mrc'), pixel_size_A=1, voltage_kv=300, cs_mm=2.7).wait()"
    )
    # one cell: JupyterLab draws only those that are in sight
    notebook = open_notebook([start, f"for shown in [s, s.jobs[0], {', '.join(WIDGETS)}]:\n    display(shown)"])
    page = notebook.page
    page.wait_for_function("count => document.querySelectorAll('.spa').length >= count", arg=len(WIDGETS))
    says_it = "[...document.querySelectorAll('.spa')].filter(each => each.innerText.includes('<evil')).length >= 5"
    page.wait_for_function(says_it)
    page.wait_for_timeout(500)
    assert page.evaluate("window.evil") is None
    assert page.locator("evil, img[onerror], [onclick]").count() == 0
