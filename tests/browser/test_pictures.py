"""The flat viewer by hand, in JupyterLab: the slider and napari's dims move each other."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.widget_data import make_micrographs, make_picks

pytestmark = pytest.mark.browser


def test_the_slider_the_arrows_and_naparis_dims_agree(open_notebook: Any, lab: Any) -> None:
    star = make_micrographs(lab.folder / "flat")
    picks = make_picks(star)
    cell = f"from spa_widgets import ImageViewer\nv = ImageViewer({str(star)!r}, picks={str(picks)!r})\nv"
    notebook = open_notebook([cell])
    page, root = notebook.page, notebook.widget()
    page.wait_for_selector(".spa[data-shown='0'][data-points='25']")
    root.focus()
    root.press("ArrowRight")
    notebook.wait_python("float(v.dims.point[0])", 1.0)
    page.wait_for_selector(".spa[data-shown='1']")
    notebook.python("v.dims.set_point(0, 0)")
    page.wait_for_selector(".spa[data-shown='0']")
    assert "mic_0001.mrc" in root.locator(".spa-stage").get_attribute("aria-label")
    notebook.python("setattr(v.layers['micrograph'], 'contrast_limits', (-1.0, 0.25))")
    page.wait_for_function("document.querySelector('input[aria-label=White][type=number]').value == 0.25")
    root.locator("input[aria-label='Black'][type=number]").fill("-0.5")
    root.locator("input[aria-label='Black'][type=number]").press("Enter")
    notebook.wait_python("round(v.layers['micrograph'].contrast_limits[0], 3)", -0.5)
    root.locator("input[aria-label='Show picks']").uncheck()
    notebook.wait_python("v.layers['picks'].visible", False)
    page.wait_for_selector(".spa[data-points='0']")
