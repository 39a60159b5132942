"""Micrographs and classes chosen by hand in JupyterLab: brush, limits, filters, undo, details, two tabs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.widget_data import add_members, make_classes, make_micrographs, make_spectra

pytestmark = pytest.mark.browser

LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 24  # margins of the scatter in px


def on_scatter(page: Any, x: float, y: float) -> tuple[float, float]:
    """Place on the page of a point of the scatter, each axis from 0 to 1."""
    page.locator(".spa-scatter").scroll_into_view_if_needed()
    box = page.locator(".spa-scatter").bounding_box()
    width, height = box["width"] - LEFT - RIGHT, box["height"] - TOP - BOTTOM
    return box["x"] + LEFT + x * width, box["y"] + TOP + (1 - y) * height


def drag(page: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Press, move in steps, release."""
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=6)
    page.mouse.up()


def ctf_cell(folder: Any) -> str:
    """A session's inspector of three micrographs (1.0, 1.3, 1.6 µm, fitted to 4, 7, 10 Å), one with a hostile name."""
    star = make_micrographs(folder / "mics", hostile=True)
    make_spectra(star)
    return (
        "from spa_widgets import CTFInspector, Session\n"
        f"c = CTFInspector(Session({str(folder / 'project')!r}), {str(star)!r})\nc"
    )


def test_micrographs_are_chosen_by_brush_limit_and_table(open_notebook: Any, lab: Any) -> None:
    notebook = open_notebook([ctf_cell(lab.folder / "choose")])
    page, root = notebook.page, notebook.widget()
    page.wait_for_selector("img[data-shown='0']")
    assert "<img src=x onerror=alert(0)>" in root.locator("tbody tr").first.inner_text(), "a name is text"
    drag(page, on_scatter(page, 0.75, 0.8), on_scatter(page, 0.96, 0.97))
    page.locator("[data-brush=reject]").click()
    notebook.wait_python("c.accepted", [True, True, False])
    page.wait_for_function("document.querySelector('.spa').innerText.includes('2 of 3 micrographs accepted')")
    root.press("Control+z")
    notebook.wait_python("c.accepted", [True, True, True])
    page.wait_for_function("document.querySelector('.spa').innerText.includes('3 of 3 micrographs accepted')")
    knob = page.locator("[data-limit=worst_resolution_A] circle").bounding_box()  # visible again
    drag(page, (knob["x"] + 6, knob["y"] + 6), on_scatter(page, 0.7, 0.716))
    notebook.wait_python("c.accepted", [True, True, False])
    notebook.wait_python("8 < c.worst_resolution_A < 9 and c.can_undo", True)  # dropped, not on its way
    page.mouse.click(*on_scatter(page, 0.5, 0.5))  # the micrograph in the middle
    page.wait_for_selector("img[data-shown='1']")
    root.locator("tr[data-row='1'] .spa-mark").click()
    notebook.wait_python("c.rejected_by_hand", [1])
    root.get_by_role("button", name="Fit to (Å)").click()
    root.get_by_role("button", name="Fit to (Å)").click()
    assert [row.get_attribute("data-row") for row in root.locator("tbody tr").all()] == ["2", "1", "0"]
    drag(page, on_scatter(page, 0.03, 0.02), on_scatter(page, 0.6, 0.6))
    page.locator("[data-brush=frame_limits]").click()
    notebook.wait_python("'max_defocus_A' in c.limits and c.worst_resolution_A < 8", True)
    root.get_by_text("Use accepted micrographs").click()
    page.wait_for_selector(".spa-toast")
    assert "1 micrographs submitted as J1" in page.locator(".spa-toast").inner_text()


def test_two_tabs_on_one_session_agree(open_notebook: Any, lab: Any) -> None:
    notebook = open_notebook([ctf_cell(lab.folder / "tabs")])
    page = notebook.page
    notebook.widget()
    page.wait_for_selector("img[data-shown='0']")
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(1000)
    other = page.context.new_page()
    other.goto(page.url, timeout=60_000)
    other.wait_for_selector("img[data-shown='0']", timeout=60_000)
    other.locator("tr[data-row='2'] .spa-mark").click()
    notebook.wait_python("c.accepted", [True, True, False])
    page.wait_for_selector("tr[data-row='2'].spa-off")
    page.bring_to_front()
    page.locator("tr[data-row='0'] .spa-mark").click()
    other.wait_for_selector("tr[data-row='0'].spa-off")
    # another kernel on the same session: this page hears of it when it comes to the front
    star = str(lab.folder / "tabs" / "mics" / "micrographs.star")
    notebook.python(f"CTFInspector(Session({str(lab.folder / 'tabs' / 'project')!r}), {star!r}).undo()")
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    notebook.wait_python("c.accepted", [True, True, False])
    other.wait_for_selector("tr[data-row='0']:not(.spa-off)")
    other.close()


def test_classes_are_filtered_taken_back_and_looked_into(open_notebook: Any, lab: Any) -> None:
    folder = make_classes(lab.folder / "gallery")
    add_members(folder)
    notebook = open_notebook([f"from spa_widgets import ClassGallery\ng = ClassGallery(None, {str(folder)!r})\ng"])
    page, root = notebook.page, notebook.widget()
    page.wait_for_selector(".spa[data-shown=atlas]")
    field = root.locator("[data-filter=worst_resolution_A] input[type=number]")
    field.fill("7")
    field.press("Enter")
    notebook.wait_python("g.worst_resolution_A", 7.0)
    assert [tile.get_attribute("data-class") for tile in root.locator(".spa-class").all()] == ["3", "2", "1"]
    root.get_by_text("All", exact=True).click()
    notebook.wait_python("g.selected", [1, 2, 3])
    root.get_by_text("None", exact=True).click()
    notebook.wait_python("g.selected", [])
    root.get_by_label("Undo").click()
    notebook.wait_python("g.selected", [1, 2, 3])
    field.fill("10")  # the end: no filter
    field.press("Enter")
    notebook.wait_python("g.worst_resolution_A", None)
    root.locator("[data-class='2']").focus()
    page.keyboard.press("d")
    page.wait_for_selector(".spa-detail img[data-shown='2-0-true']")
    assert notebook.python("g.detail") == 2
    assert "1 / 2" in page.locator(".spa-detail").inner_text()
    root.get_by_label("next page").click()
    page.wait_for_selector(".spa-detail img[data-shown='2-1-true']")
    root.get_by_label("aligned").click()
    page.wait_for_selector(".spa-detail img[data-shown='2-1-false']")
    page.locator("[data-class='2']").focus()
    page.keyboard.press("Escape")
    notebook.wait_python("g.detail", 0)
    page.wait_for_selector(".spa-detail", state="hidden")
    assert notebook.python("g.selected") == [1, 2, 3], "looking changes no choice"
