"""The manual picker by hand, in JupyterLab."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from spa_widgets.io.mrc_write import write_mrc
from tests.support.widget_data import make_micrographs, particle_positions

pytestmark = pytest.mark.browser


def place(page: Any, x: float, y: float, side: int = 256) -> tuple[float, float]:
    """Give the page position of a pixel of a square micrograph shown whole."""
    box = page.locator(".spa-stage canvas").first.bounding_box()
    zoom = min(box["width"], box["height"]) / side
    return box["x"] + box["width"] / 2 + (x - side / 2) * zoom, box["y"] + box["height"] / 2 + (y - side / 2) * zoom


def test_every_gesture_of_the_picker(open_notebook: Any, lab: Any) -> None:
    star = make_micrographs(lab.folder / "picker", hostile=True)
    notebook = open_notebook([f"from spa_widgets import ManualPicker\np = ManualPicker(None, {str(star)!r})\np"])
    page, root = notebook.page, notebook.widget()
    page.wait_for_selector(".spa-stage[data-shown]")

    assert root.locator("img").count() == 0 and "<img src=x" in root.locator(".spa-row").first.inner_text()
    root.locator(".spa-row").nth(1).click()
    page.wait_for_selector(".spa-stage[data-shown='mic_0002.mrc']")

    page.mouse.click(*place(page, 64, 64))
    page.mouse.click(*place(page, 128, 128))
    picks = notebook.wait_python("[len(v) for v in p.picks.values()]", [2]) and notebook.python(
        "p.picks['mic_0002.mrc']"
    )
    assert np.allclose(picks, [[64, 64], [128, 128]], atol=1.0), "a click picks the pixel under the pointer"

    page.mouse.move(*place(page, 128, 128))
    page.mouse.down()
    page.mouse.move(*place(page, 192, 64), steps=4)
    page.mouse.up()
    notebook.wait_python("[round(v / 4) for v in p.picks['mic_0002.mrc'][1]]", [48, 16])

    page.mouse.click(*place(page, 64, 64), button="right")
    notebook.wait_python("p.count", 1)
    assert page.locator(".lm-Menu").count() == 0, "no context menu of the page opens"
    page.keyboard.press("Control+z")
    notebook.wait_python("p.count", 2)
    page.keyboard.press("Control+y")
    notebook.wait_python("p.count", 1)

    page.mouse.move(*place(page, 192, 64))
    page.keyboard.press("Delete")
    notebook.wait_python("p.count", 0)
    page.keyboard.press("c")
    page.keyboard.press("Enter")
    notebook.wait_python("[[round(c) for c in v[0]] for v in p.picks.values()]", [[128, 128]])

    page.keyboard.press("n")
    notebook.wait_python("p.current", 2)
    page.keyboard.press("?")
    assert "Undo" in page.locator(".spa-help").inner_text()
    page.keyboard.press("Escape")
    assert page.locator(".spa-help").count() == 0

    notebook.python("p.add('mic_0003.mrc', 100, 50)")
    page.wait_for_function("document.querySelectorAll('.spa-badge')[2].textContent === '1'")


class Fingers:
    """Touches the page as a tablet would."""

    def __init__(self, page: Any) -> None:
        self.page, self.send = page, page.context.new_cdp_session(page).send

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        """Send a touchStart, touchMove or touchEnd with the places of all fingers."""
        touches = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        self.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    def tap(self, x: float, y: float, hold_ms: int = 0) -> None:
        """Touch a place with one finger."""
        self.touch("touchStart", (x, y))
        self.page.wait_for_timeout(hold_ms)
        self.touch("touchEnd")

    def move(self, begin: list[tuple[float, float]], end: list[tuple[float, float]]) -> None:
        """Move fingers in a straight line."""
        self.touch("touchStart", *begin)
        for part in (0.25, 0.5, 0.75, 1.0):
            ways = zip(begin, end, strict=True)
            self.touch("touchMove", *((x + part * (u - x), y + part * (v - y)) for (x, y), (u, v) in ways))
        self.touch("touchEnd")


def test_fingers_suggestions_and_the_denoised_view(open_notebook: Any, lab: Any) -> None:
    star = make_micrographs(lab.folder / "touch")
    proposed = {"mic_0001": particle_positions()}
    cell = f"from spa_widgets import ManualPicker\np = ManualPicker(None, {str(star)!r}, suggestions={proposed!r})\np"
    notebook = open_notebook([cell])
    page, root = notebook.page, notebook.widget()
    page.wait_for_selector(".spa-stage[data-shown]")
    page.wait_for_selector(".spa[data-suggested='5']")
    fingers = Fingers(page)

    fingers.tap(*place(page, 66, 61))
    notebook.wait_python("p.picks.get('mic_0001.mrc')", [[64, 64]])  # the suggestion itself
    fingers.tap(*place(page, 100, 30))
    notebook.wait_python("p.count", 2)
    fingers.tap(*place(page, 100, 30), hold_ms=800)
    notebook.wait_python("p.count", 1)
    page.mouse.click(*place(page, 128, 128), button="right")
    page.wait_for_selector(".spa[data-suggested='3']")
    root.press("a")
    notebook.wait_python("p.count", 4)
    page.wait_for_selector(".spa[data-suggested='0']")

    assert "mic_0001.mrc: 4 picks, 0 suggestions" in root.locator(".spa-stage").get_attribute("aria-label")

    before = root.locator(".spa-scale").inner_text()
    left, right = place(page, 100, 128), place(page, 156, 128)
    fingers.move([left, right], [(left[0] - 150, left[1]), (right[0] + 150, right[1])])
    page.wait_for_function("text => document.querySelector('.spa-scale').innerText !== text", arg=before)
    root.press("f")
    page.wait_for_function("text => document.querySelector('.spa-scale').innerText === text", arg=before)
    fingers.move([place(page, 128, 128)], [place(page, 160, 128)])
    assert notebook.python("p.count") == 4, "neither a pinch nor a pan picks"

    root.press("d")
    notebook.wait_python("p.denoise", True)
    assert root.get_by_text("Denoise").get_attribute("aria-pressed") == "true"
    page.wait_for_function("[...document.querySelectorAll('.spa-thumb')].every(each => each.width === 128)")


def test_a_page_reload_loses_nothing(open_notebook: Any, lab: Any) -> None:
    star = make_micrographs(lab.folder / "reload")
    notebook = open_notebook([f"from spa_widgets import ManualPicker\np = ManualPicker(None, {str(star)!r})\np"])
    page = notebook.page
    notebook.widget()
    page.wait_for_selector(".spa-stage[data-shown]")
    page.mouse.click(*place(page, 64, 64))
    notebook.wait_python("p.count", 1)
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(1000)
    page.reload()
    notebook.widget()
    page.wait_for_selector(".spa-stage[data-shown]")
    page.wait_for_function("document.querySelector('.spa-badge').textContent === '1'")


def test_first_paint_and_frame_rate_of_a_large_micrograph(open_notebook: Any, lab: Any) -> None:
    """3710 x 3838 px, 2,000 circles: at most 0.7 MB; times are printed, and bounded loosely for busy machines."""
    image = np.random.default_rng(0).standard_normal((3838, 3710), np.float32)
    write_mrc(lab.folder / "large.mrc", image, 1.232)
    cell = (
        "from spa_widgets import ManualPicker\nimport random\n"
        f"path = {str(lab.folder / 'large.mrc')!r}\n"
        "random.seed(1)\npoints = [(random.uniform(0, 3709), random.uniform(0, 3837)) for _ in range(2000)]\n"
        "p = ManualPicker(None, path, picks={'large.mrc': points})\np"
    )
    notebook = open_notebook([cell])
    page = notebook.page
    notebook.widget()
    page.wait_for_selector(".spa-stage[data-shown]")
    assert notebook.python("len(p._ask_image(0, 20.0, 0.0, False)[1][0])") <= 700_000
    begun = time.monotonic()
    notebook.python("setattr(p, 'low_pass_A', 11.0)")
    page.wait_for_timeout(50)
    painted = page.evaluate(
        """async () => {
          const box = document.querySelector('.spa-stage .spa-marks');
          const at = (x) => ({ pointerId: 5, clientX: x, clientY: 500, button: 0, buttons: 1, bubbles: true });
          const move = (type, x) => box.dispatchEvent(new PointerEvent(type, at(x)));
          move('pointerdown', 700);
          const start = performance.now();
          let frames = 0;
          while (performance.now() - start < 2000) {
            move('pointermove', 700 + (frames % 60));
            frames++;
            await new Promise(requestAnimationFrame);
          }
          move('pointerup', 700);
          return frames / 2;
        }"""
    )
    print(f"pan with 2,000 circles: {painted:.0f} frames/s; filter and answer {time.monotonic() - begun:.2f} s")
    assert painted > 5
