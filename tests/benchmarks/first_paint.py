"""From running a widget's cell to its picture, in one open notebook; a large gallery, a long tree, a map that turns."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from engine.simulation.phantom import channel
from engine.simulation.projection import density
from spa_widgets import Session
from spa_widgets.io.mrc_write import write_mrc
from tests.benchmarks.measure import Cost
from tests.benchmarks.report import Row
from tests.browser.lab import Lab, Notebook
from tests.support.widget_data import make_classes, make_micrographs, make_refinement, make_spectra

CLASSES, JOBS, BOX_PX = 200, 200, 128

# puts a source into an empty cell, runs it and gives the time in ms to the frame that shows what is drawn last
_PAINT = """async ([number, source, drawn]) => {
  const content = window.jupyterapp.shell.currentWidget.content;
  await content.scrollToItem(number, 'start');
  content.activeCellIndex = number;
  content.activeCell.model.sharedModel.setSource(source);
  const cell = content.activeCell.node, begun = performance.now();
  window.jupyterapp.commands.execute('notebook:run-cell');
  while (!cell.querySelector(drawn)) {
    if (performance.now() - begun > 60000) throw new Error(`${source} shows no ${drawn}: ${cell.innerText}`);
    await new Promise((done) => setTimeout(done, 4));
  }
  await new Promise(requestAnimationFrame);
  return performance.now() - begun;
}"""
# turns the map with the pointer, a move for each frame, as fast as frames come; gives frames a second
_TURN = """async (seconds) => {
  const canvas = document.querySelector('.spa-scene canvas'), r = canvas.getBoundingClientRect();
  const at = (x) => ({ pointerId: 5, clientX: r.x + x, clientY: r.y + 200, button: 0, buttons: 1, bubbles: true });
  const move = (type, x) => canvas.dispatchEvent(new PointerEvent(type, at(x)));
  canvas.setPointerCapture = () => {};
  move('pointerdown', 200);
  const start = performance.now();
  let frames = 0;
  while (performance.now() - start < 1000 * seconds) {
    move('pointermove', 200 + (frames++ * 4) % 200);
    await new Promise(requestAnimationFrame);
  }
  move('pointerup', 200);
  return frames / seconds;
}"""


@dataclass(frozen=True)
class Shown:
    """A widget, the code that shows it, and the selector of what is drawn last."""

    name: str
    code: str
    drawn: str


def first_paints(lab: Lab, page: Any, folder: Path, big: Path, seconds: int) -> list[Row]:
    """Measure every widget in a warm kernel.

    Parameters
    ----------
    lab, page : the server and its page.
    folder : where data may be written.
    big : micrographs.star of full-size micrographs, with picks.star beside it.
    seconds : how long the map is turned.
    """
    shown = _widgets(folder, big)
    opening = f"from spa_widgets import *\ns = Session({str(folder / 'project')!r})\ns.take_over()"
    notebook = lab.notebook(page, [opening, *[""] * len(shown)])
    notebook.wait_python("'s' in globals()", True, 60)
    rows = [_painted(notebook, number, each) for number, each in enumerate(shown, 1)]
    page.evaluate("(number) => window.jupyterapp.shell.currentWidget.content.scrollToItem(number, 'start')", len(rows))
    rows.append(frames(f"turn a map of {BOX_PX}³", page, _TURN, seconds))
    notebook.close()
    return rows


def frames(name: str, page: Any, script: str, seconds: int) -> Row:
    """Run a script that draws as fast as it can; the costs are those of one frame."""
    cpu_s = browser_cpu_s()
    rate = float(page.evaluate(script, seconds))
    each_s = (browser_cpu_s() - cpu_s) / (rate * seconds)
    return Row(name, Cost(1 / rate, each_s, 0), {"frames/s": rate}, note="of one frame")


def browser_cpu_s() -> float:
    """Give the processor time that the browser has taken so far, drawing in software included."""
    own = psutil.Process().children(recursive=True)
    times = [each.cpu_times() for each in own if "chrom" in each.name()]
    return sum(each.user + each.system for each in times)


def _widgets(folder: Path, big: Path) -> list[Shown]:
    small = make_micrographs(folder / "mics")
    make_spectra(small)
    few = make_classes(folder / "few", 20)
    many = make_classes(folder / "many", CLASSES)
    refined = make_refinement(folder / "refined", BOX_PX, 1.5)
    map_file = folder / "map.mrc"
    write_mrc(map_file, density(channel(), BOX_PX, 1.5), 1.5)
    _history(folder / "project", small)
    stage = ".spa-stage[data-shown]"
    return [
        Shown("manual picker, 14 Mpx", f"ManualPicker(None, {str(big)!r})", stage),
        Shown("pick inspector, 28,000 picks", f"PickInspector(None, {str(big.with_name('picks.star'))!r})", stage),
        Shown("image viewer, 14 Mpx; imports napari", f"ImageViewer({str(big)!r})", ".spa[data-shown]"),
        Shown("CTF inspector", f"CTFInspector(None, {str(small)!r})", "img[data-shown]"),
        Shown("class gallery, 20", f"ClassGallery(None, {str(few)!r})", ".spa[data-shown=atlas]"),
        Shown(f"class gallery, {CLASSES}", f"ClassGallery(None, {str(many)!r})", ".spa[data-shown=atlas]"),
        Shown(f"FSC plot, {BOX_PX}³", f"FSCPlot({str(refined)!r})", ".spa[data-shown=fsc] .legend"),
        Shown("form", "StepForm(s, 'refine')", ".spa form"),
        Shown(f"job list, {JOBS}", "JobPanel(s)", ".spa-job"),
        Shown(f"session tree, {JOBS}", "SessionTree(s)", "[data-node]"),
        Shown(f"volume viewer, {BOX_PX}³", f"VolumeViewer({str(map_file)!r})", ".spa[data-triangles]"),
    ]


def _history(folder: Path, star: Path) -> None:
    """Make a project of many jobs, each with the result of the one before."""
    session = Session(folder)
    job: Any = str(star)
    for number in range(1, JOBS + 1):
        job = session.select_micrographs(job, max_defocus_A=50_000.0 + number)
    job.wait(600)
    session.runner.stop()


def _painted(notebook: Notebook, number: int, each: Shown) -> Row:
    cpu_s, kernel_s = browser_cpu_s(), kernel_cpu_s(notebook)
    took_ms = float(notebook.page.evaluate(_PAINT, [number, each.code, each.drawn]))
    time.sleep(0.2)
    spent_s, kernel_s = browser_cpu_s() - cpu_s, kernel_cpu_s(notebook) - kernel_s
    return Row(f"show {each.name}", Cost(took_ms / 1000, spent_s + kernel_s, 0), {"kernel CPU s": kernel_s})


def kernel_cpu_s(notebook: Notebook) -> float:
    """Give the processor time that the notebook's kernel has taken so far."""
    return float(notebook.python("__import__('time').process_time()"))
