"""Every widget before axe-core, in light and dark: names, roles, contrast, order of headings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.lab import ROOT
from tests.support.widget_data import (
    add_members,
    make_classes,
    make_micrographs,
    make_picks,
    make_refinement,
    make_spectra,
)

pytestmark = pytest.mark.browser
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
THEME = "(name) => window.jupyterapp.commands.execute('apputils:change-theme', { theme: `JupyterLab ${name}` })"
SHOW = "(number) => window.jupyterapp.shell.currentWidget.content.scrollToItem(number, 'start')"
# a colour on its way from one theme to the other has no contrast of its own
SETTLED = """(root) => root.getAnimations({ subtree: true }).every(
  (each) => each.playState === 'finished' || each.effect.getTiming().iterations === Infinity)"""
LOOK = """async (root) => (await axe.run(root, { resultTypes: ['violations'] })).violations.flatMap(
  (found) => found.nodes.map((node) => `${found.id}: ${node.html.slice(0, 140)} ${node.failureSummary}`))"""


def cells(folder: Path) -> list[tuple[str, str]]:
    """Give a cell for each widget, on small data, and what is drawn last in it."""
    star = make_micrographs(folder / "mics")
    make_spectra(star)
    classes, refined, picks = make_classes(folder / "classes"), make_refinement(folder / "refined"), make_picks(star)
    add_members(classes)
    start = f"from spa_widgets import *\ns = Session({str(folder / 'project')!r})\n"
    optics = "pixel_size_A=2.0, voltage_kv=300, cs_mm=1.6"
    imported = f"s.import_micrographs({str(star.parent / '*.mrc')!r}, {optics}).wait()\n"
    return [
        (f"{start}ManualPicker(None, {str(star)!r}, picks={{'mic_0001.mrc': [(64, 64)]}})", ".spa-stage[data-shown]"),
        (f"PickInspector(None, {str(picks)!r})", ".spa-stage[data-shown]"),
        (f"CTFInspector(None, {str(star)!r})", "img[data-shown]"),
        (f"ClassGallery(None, {str(classes)!r})", ".spa-class"),
        (f"FSCPlot({str(refined)!r})", ".legend"),
        (f"VolumeViewer({str(refined / 'half_A.mrc')!r})", ".spa-scene canvas"),
        (f"ImageViewer({str(star)!r}, picks={str(picks)!r})", ".spa[data-shown]"),
        ("StepForm(s, 'pick_blobs', diameter_A=7)", ".spa-problem"),
        (f"{imported}JobPanel(s, selected='J1')", ".spa-figures"),
        ("SessionTree(s)", "svg rect"),
    ]


def test_axe_finds_nothing_in_any_widget_light_or_dark(open_notebook: Any, lab: Any) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: python -m spa_widgets.build_static --dev")
    shown = cells(lab.folder / "before-axe")
    page = open_notebook([cell for cell, _ in shown]).page
    page.add_script_tag(path=str(AXE))
    found: list[str] = []
    try:
        for theme in ("Light", "Dark"):
            page.evaluate(THEME, theme)
            page.wait_for_selector(f"body[data-jp-theme-name='JupyterLab {theme}']", state="attached")
            for number, (cell, drawn) in enumerate(shown):
                page.evaluate(SHOW, number)
                place = page.locator(f'.jp-Cell[data-windowed-list-index="{number}"]')
                place.locator(drawn).first.wait_for(state="attached")
                root = place.locator(".spa").first
                page.wait_for_function(SETTLED, arg=root.element_handle())
                found += [f"{theme}, {cell[-60:]}: {each}" for each in page.evaluate(LOOK, root.element_handle())]
    finally:
        page.evaluate(THEME, "Light")
    assert found == []
