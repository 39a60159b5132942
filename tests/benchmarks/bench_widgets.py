"""What a person waits for in the picker and the inspector: in a real JupyterLab, drawn without a graphics card."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import write_star
from tests.benchmarks.first_paint import first_paints, frames, kernel_cpu_s
from tests.benchmarks.measure import Cost
from tests.benchmarks.report import Row
from tests.benchmarks.run import Settings
from tests.browser.lab import CHROMIUM_ARGUMENTS, Lab, Notebook, find_chromium

SHAPE, PIXEL_A, MICROGRAPHS = (3838, 3710), 1.232, 4
CIRCLES, PICKS = 2_000, 28_000

# moves of the pointer, one for each frame, as fast as frames come; gives frames a second
_PAN = """async (seconds) => {
  const box = document.querySelector('.spa-stage .spa-marks'), r = box.getBoundingClientRect();
  const at = (x) => ({ pointerId: 5, clientX: r.x + x, clientY: r.y + 200, button: 0, buttons: 1, bubbles: true });
  const move = (type, x) => box.dispatchEvent(new PointerEvent(type, at(x)));
  move('pointerdown', 5);
  const start = performance.now();
  let frames = 0;
  while (performance.now() - start < 1000 * seconds) {
    move('pointermove', 30 + Math.abs((frames++ * 3) % 160 - 80));
    await new Promise(requestAnimationFrame);
  }
  move('pointerup', 30);
  return frames / seconds;
}"""
_ZOOM = """async (seconds) => {
  const box = document.querySelector('.spa-stage .spa-marks'), r = box.getBoundingClientRect();
  const start = performance.now();
  let frames = 0;
  while (performance.now() - start < 1000 * seconds) {
    const deltaY = frames++ % 60 < 30 ? -20 : 20;
    box.dispatchEvent(new WheelEvent('wheel', { deltaY, clientX: r.x + 300, clientY: r.y + 200, cancelable: true }));
    await new Promise(requestAnimationFrame);
  }
  return frames / seconds;
}"""
# from the click in the list to the picture on the screen, in ms
_OPEN = """async (index) => {
  const stage = document.querySelector('.spa-stage'), row = document.querySelectorAll('.spa-row')[index];
  const name = row.title, start = performance.now();
  row.click();
  while (stage.dataset.shown !== name) await new Promise((done) => setTimeout(done, 4));
  await new Promise(requestAnimationFrame);
  await new Promise((done) => setTimeout(done));
  return performance.now() - start;
}"""
# steps of a threshold with the keyboard; gives the mean time in ms from the key to the frame after it
_THRESHOLD = """async (count) => {
  let total = 0;
  for (let step = 0; step < count; step++) {
    const limit = document.querySelector('[data-limit=min_ncc]');
    const start = performance.now();
    limit.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true, cancelable: true }));
    await new Promise(requestAnimationFrame);
    await new Promise((done) => setTimeout(done));
    total += performance.now() - start;
    await new Promise((done) => setTimeout(done, 60));
  }
  return total / count;
}"""


def run(settings: Settings) -> list[Row]:
    """Open the widgets, and use them as a hand would."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return [Row("widgets", Cost(0, 0, 0), note="not measured: Playwright is not installed (pip install -e .[dev])")]
    star = _write_data(settings.work, MICROGRAPHS)
    seconds = settings.size(3, 1)
    with sync_playwright() as playwright, _page(playwright, settings.work) as (lab, page):
        rows = [*_picker(lab, page, star, seconds), *_inspector(lab, page, star.parent, seconds)]
        return [*rows, *first_paints(lab, page, settings.work / "widgets", star, seconds)]


def _write_data(folder: Path, count: int) -> Path:
    """Write noise of the size of real micrographs, circles and scores on it."""
    rng = np.random.default_rng(0)
    names = [str(folder / f"mic_{number}.mrc") for number in range(count)]
    for name in names:
        write_mrc(Path(name), rng.standard_normal(SHAPE, np.float32), PIXEL_A)
    star = folder / "micrographs.star"
    write_star(star, {"micrographs": pd.DataFrame({"rlnMicrographName": names})})
    columns = {"rlnMicrographName": np.repeat(names, PICKS // count)}
    size = len(columns["rlnMicrographName"])
    columns |= {f"rlnCoordinate{axis}": rng.uniform(0, SHAPE[1], size) for axis in "XY"}
    columns |= {"rlnAutopickFigureOfMerit": rng.normal(0.3, 0.1, size), "spaPickPower": rng.gamma(4, 0.4, size)}
    write_star(folder / "picks.star", {"particles": pd.DataFrame(columns)})
    return star


@contextmanager
def _page(playwright: Any, folder: Path) -> Iterator[tuple[Lab, Any]]:
    lab = Lab(folder)
    browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_ARGUMENTS)
    try:
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(90_000)
        yield lab, page
    finally:
        browser.close()
        lab.close()


def _picker(lab: Lab, page: Any, star: Path, seconds: int) -> list[Row]:
    cell = (
        f"from spa_widgets import ManualPicker\nimport random, time\nrandom.seed(1)\n"
        f"points = [(random.uniform(0, 3709), random.uniform(0, 3837)) for _ in range({CIRCLES})]\n"
        f"p = ManualPicker(None, {str(star)!r}, picks={{'mic_0.mrc': points}})\np"
    )
    begun = time.perf_counter()
    notebook = lab.notebook(page, [cell], "picker")
    notebook.widget()
    page.wait_for_selector(".spa-stage[data-shown='mic_0.mrc']")
    start = Cost(time.perf_counter() - begun, kernel_cpu_s(notebook), 0)
    rows = [Row("notebook to first micrograph", start, note="kernel, imports and page included")]
    page.wait_for_timeout(1500)  # thumbnails, and the next micrograph, are there
    rows.append(frames("pan, 2,000 circles", page, _PAN, seconds))
    rows.append(frames("zoom, 2,000 circles", page, _ZOOM, seconds))
    rows.append(_opened("next micrograph (asked for ahead)", notebook, 1))
    notebook.python("p._mics._binned.clear()")
    rows.append(_opened("another micrograph (from the file)", notebook, MICROGRAPHS - 1))
    size = notebook.python("len(p._ask_image(0, 20.0, 0.0, False)[1][0])")
    rows[-1].accuracy["kB sent"] = size / 1000
    notebook.close()
    return rows


def _inspector(lab: Lab, page: Any, folder: Path, seconds: int) -> list[Row]:
    cell = f"from spa_widgets import PickInspector\ni = PickInspector(None, {str(folder / 'picks.star')!r})\ni"
    notebook = lab.notebook(page, [cell], "inspector")
    notebook.widget()
    page.wait_for_selector(".spa[data-scores]")
    page.wait_for_selector(".spa-stage[data-shown]")
    page.wait_for_timeout(1000)
    took_ms = page.evaluate(_THRESHOLD, 10 * seconds)
    own_ms = float(page.locator(".spa").get_attribute("data-redraw-ms"))
    row = Row(f"threshold moved, {PICKS:,} picks", Cost(took_ms / 1000, own_ms / 1000, 0))
    row.note = "wall: from the key to the next frame; CPU: our script in the page"
    notebook.close()
    return [row]


def _opened(name: str, notebook: Notebook, index: int) -> Row:
    cpu = kernel_cpu_s(notebook)
    took_ms = float(notebook.page.evaluate(_OPEN, index))
    return Row(name, Cost(took_ms / 1000, kernel_cpu_s(notebook) - cpu, 0), note="CPU: of the kernel")
