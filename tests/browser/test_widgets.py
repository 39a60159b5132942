"""Gallery, inspectors, volume viewer, job panel and FSC plot by hand, in JupyterLab."""

from __future__ import annotations

from typing import Any

import pytest

from spa_widgets.io.mrc_write import write_mrc
from tests.support.widget_data import (
    PIXEL_A,
    ball,
    make_classes,
    make_micrographs,
    make_picks,
    make_refinement,
    make_spectra,
)

pytestmark = pytest.mark.browser


def wait_text(page: Any, text: str) -> None:
    """Wait until a widget shows a text: Python's state is there before the view is drawn again."""
    page.wait_for_function("text => document.querySelector('.spa').innerText.includes(text)", arg=text)


def test_classes_are_selected_by_click_shift_click_and_keys(open_notebook: Any, lab: Any) -> None:
    folder = make_classes(lab.folder / "classes")
    notebook = open_notebook([f"from spa_widgets import ClassGallery\ng = ClassGallery(None, {str(folder)!r})\ng"])
    page, root = notebook.page, notebook.widget()
    page.wait_for_selector(".spa[data-shown=atlas]")
    tiles = root.locator(".spa-class")
    assert [tiles.nth(i).get_attribute("data-class") for i in range(6)] == ["6", "5", "4", "3", "2", "1"], (
        "most particles first"
    )
    tiles.nth(1).click()
    notebook.wait_python("g.selected", [5])
    tiles.nth(3).click(modifiers=["Shift"])
    notebook.wait_python("g.selected", [3, 4, 5])
    page.keyboard.press("ArrowRight")
    page.keyboard.press(" ")
    notebook.wait_python("g.selected", [2, 3, 4, 5])
    page.keyboard.press("i")
    notebook.wait_python("g.selected", [1, 6])
    wait_text(page, "700 of 2,100 particles")
    root.get_by_text("</> Python").click()
    page.wait_for_selector(".spa-code")
    assert "classes=[1, 6]" in page.locator(".spa-code").inner_text()


def test_a_dragged_threshold_is_pythons_threshold(open_notebook: Any, lab: Any) -> None:
    picks = make_picks(make_micrographs(lab.folder / "inspect"))
    cell = (
        f"from spa_widgets import PickInspector\ni = PickInspector(None, {str(picks)!r})\n"
        "told = []\ni.observe(lambda change: told.append(change.new), 'min_ncc')\ni"
    )
    notebook = open_notebook([cell])
    page = notebook.page
    notebook.widget()
    page.wait_for_selector(".spa[data-scores='75']")
    knob = page.locator("[data-limit=min_ncc] circle").bounding_box()
    x, y = knob["x"] + knob["width"] / 2, knob["y"] + knob["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 150, y, steps=6)
    page.mouse.up()
    notebook.wait_python("i.kept_count", 45)
    notebook.wait_python("len(told)", 1)  # the drop, not the way to it
    wait_text(page, "45 of 75 picks kept")
    wait_text(page, "15 of 25 kept here")
    notebook.python("i.set(max_power=5)")
    wait_text(page, "15 of 75 picks kept")
    page.locator("[data-limit=max_power]").focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    notebook.wait_python("i.max_power < 5 and i.max_power > 4", True)


def test_a_micrograph_is_rejected_by_key_and_limit(open_notebook: Any, lab: Any) -> None:
    star = make_micrographs(lab.folder / "ctf")
    make_spectra(star)
    notebook = open_notebook([f"from spa_widgets import CTFInspector\nc = CTFInspector(None, {str(star)!r})\nc"])
    page, root = notebook.page, notebook.widget()
    page.wait_for_selector("img[data-shown='0']")
    root.locator("tbody tr").nth(1).click()
    page.wait_for_selector("img[data-shown='1']")
    root.press("r")
    notebook.wait_python("c.accepted", [True, False, True])
    notebook.python("c.set(worst_resolution_A=8.0)")
    page.wait_for_function("document.querySelector('.spa').innerText.includes('1 of 3 micrographs accepted')")


def test_contour_level_and_camera_are_linked_with_napari(open_notebook: Any, lab: Any) -> None:
    write_mrc(lab.folder / "ball.mrc", ball(48, 14), 2.0)
    cell = f"from spa_widgets import VolumeViewer\nv = VolumeViewer({str(lab.folder / 'ball.mrc')!r}, levels=[0.5])\nv"
    notebook = open_notebook([cell])
    page, root = notebook.page, notebook.widget()
    page.wait_for_selector(".spa[data-triangles]", timeout=60_000)
    first = int(root.get_attribute("data-triangles"))
    notebook.python("setattr(v.layers['ball'], 'iso_threshold', 0.9)")
    page.wait_for_function(f"Number(document.querySelector('.spa').dataset.triangles) < {first}")
    root.locator("input[aria-label='Level'][type=number]").fill("0.3")
    root.locator("input[aria-label='Level'][type=number]").press("Enter")
    notebook.wait_python("round(v.layers['ball'].iso_threshold, 3)", 0.3)
    root.press("x")
    notebook.wait_python("[round(abs(float(a)), 3) for a in v.camera.view_direction]", [0.0, 0.0, 1.0])
    box = page.locator(".spa-scene canvas").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 260, box["y"] + 240, steps=4)
    page.mouse.up()
    notebook.wait_python("float(v.camera.view_direction[2]) > -0.99", True)
    colours = page.evaluate(
        """() => { const c = document.querySelector('.spa-scene canvas'), d = document.createElement('canvas');
          [d.width, d.height] = [c.width, c.height]; const p = d.getContext('2d'); p.drawImage(c, 0, 0);
          const at = (x, y) => [...p.getImageData(x, y, 1, 1).data].slice(0, 3);
          return [at(c.width / 2, c.height / 2), at(3, 3)]; }"""
    )
    assert colours[1] == [255, 255, 255] and colours[0][2] > colours[0][0], "a blue ball on the page's ground"


def test_a_mask_is_tried_on_the_fsc_plot(open_notebook: Any, lab: Any) -> None:
    folder = make_refinement(lab.folder / "refined")
    cell = f"from spa_widgets import FSCPlot\nf = FSCPlot({str(folder)!r}, labels=['J1'])\nf"
    notebook = open_notebook([cell])
    page, root = notebook.page, notebook.widget()
    page.wait_for_selector(".spa[data-shown=fsc]")
    corrected = notebook.python("f.resolutions['J1']['corrected']")
    assert f"Corrected ({corrected:.2f} Å)" in page.locator(".legend").text_content()
    plot, widget = page.locator(".js-plotly-plot .main-svg").first.bounding_box(), root.bounding_box()
    assert widget["width"] > 900 and plot["width"] > 0.6 * widget["width"], "as wide as the cell"
    page.wait_for_function("document.querySelector('.spa img').naturalWidth === 168")  # three sections of 56 px
    field = root.locator("input[aria-label='Threshold'][type=number]")
    field.fill("0.75")
    field.press("Enter")
    notebook.wait_python("f.own_mask and f.mask_threshold", 0.75)
    page.wait_for_function("document.querySelector('.spa').dataset.revision > 0")
    notebook.python("f.set_mask(0.75, 0, 0) and 1")
    wait_text(page, "too tight")
    root.get_by_text("Reset").click()
    notebook.wait_python("f.own_mask", False)
    assert notebook.python("f.resolutions['J1']['corrected']") == corrected
    for tab, word in (("guinier", "B-factor"), ("orientations", "300 particles")):
        page.locator(f"[data-tab={tab}]").click()
        page.wait_for_selector(f".spa[data-shown={tab}]")
        wait_text(page, word)
    assert notebook.python("f.tab") == "orientations"


def test_jobs_are_followed_while_a_cell_is_busy(open_notebook: Any, lab: Any) -> None:
    star = make_micrographs(lab.folder / "jobs")
    flag = lab.folder / "seen"
    cells = [
        "from spa_widgets import Session, JobPanel\n"
        f"s = Session({str(lab.folder / 'project')!r})\npanel = JobPanel(s)\npanel",
        f"job = s.import_micrographs({str(star.parent / '*.mrc')!r}, pixel_size_A={PIXEL_A}, voltage_kv=300, "
        "cs_mm=1.6, dose_e_per_A2=35.0)\nimport time, pathlib\nend = time.monotonic() + 60\n"
        f"while not pathlib.Path({str(flag)!r}).exists() and time.monotonic() < end: time.sleep(0.05)\n"
        "was_busy = time.monotonic() < end",
    ]
    notebook = open_notebook(cells)
    page = notebook.page
    notebook.widget()
    page.wait_for_selector(".spa-job[data-status=finished]", timeout=50_000)
    page.locator(".spa-job").click()  # and is answered while the second cell is running
    page.locator(".spa-code", has_text="session.import_micrographs(").wait_for()
    flag.touch()
    notebook.wait_python("globals().get('was_busy')", True)
    page.locator(".spa select").select_option("tree")
    page.wait_for_selector(".spa svg[aria-label=Tree] rect")
