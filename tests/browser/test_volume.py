"""The volume viewer by hand, in JupyterLab: what changes in Python is seen, and what is clicked is Python's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.viewers.volume.renderer import missing_parts
from tests.support.widget_data import ball

pytestmark = pytest.mark.browser
START = "import numpy as np\nfrom spa_widgets import VolumeViewer\n"
BALL = "from tests.support.widget_data import ball\n"


def colour_at(page: Any, x: float, y: float, number: int = 0) -> list[int]:
    """Give the colour of the view at a part of its width and height."""
    return page.evaluate(
        """([x, y, number]) => { const c = document.querySelectorAll('.spa-scene canvas')[number];
          const d = document.createElement('canvas'); [d.width, d.height] = [c.width, c.height];
          const p = d.getContext('2d'); p.drawImage(c, 0, 0);
          return [...p.getImageData(c.width * x, c.height * y, 1, 1).data].slice(0, 3); }""",
        [x, y, number],
    )


def wait_colour(page: Any, x: float, y: float, test: str, number: int = 0) -> None:
    """Wait until a place of the view has a colour for which a test of r, g, b holds."""
    for _ in range(100):
        r, g, b = colour_at(page, x, y, number)
        if eval(test, {"r": r, "g": g, "b": b}):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"the colour at {x}, {y} is {(r, g, b)}, which is not {test}")


def drag(page: Any, selector: str, dx: float, dy: float, number: int = 0) -> None:
    box = page.locator(selector).nth(number).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx, y + dy, steps=5)
    page.mouse.up()


def test_naparis_api_reaches_the_browser_and_back(open_notebook: Any, lab: Any) -> None:
    write_mrc(lab.folder / "ball.mrc", ball(48, 14), 2.0)
    path = str(lab.folder / "ball.mrc")
    notebook = open_notebook([START + f"v = VolumeViewer({path!r}, levels=[0.5], colours=['#0000ff'])\nv"])
    page, root = notebook.page, notebook.widget()
    page.wait_for_selector(".spa[data-triangles]")
    wait_colour(page, 0.5, 0.5, "b > 120 and r < 110")
    notebook.python("setattr(v.layers['ball'], 'colormap', 'red')")
    wait_colour(page, 0.5, 0.5, "r > 120 and b < 110")
    notebook.python("setattr(v.layers['ball'], 'visible', False)")
    wait_colour(page, 0.5, 0.5, "(r, g, b) == (255, 255, 255)")
    notebook.python("v.add_points(np.array([[48, 48, 48.0]]), size=40, face_color='lime') and None")
    wait_colour(page, 0.5, 0.5, "g > 120 and r < 110")
    corners = "np.array([[96., 0, 0], [96, 96, 0], [96, 96, 96], [96, 0, 96]])"
    surface = f"({corners}, np.array([[0, 2, 1], [0, 3, 2]]), np.ones(4))"
    notebook.python(f"v.add_surface({surface}, colormap='magenta', name='wall') and None")
    wait_colour(page, 0.5, 0.5, "r > 100 and b > 100 and g < 90")
    root.locator("input[aria-label='Show wall']").uncheck()
    notebook.wait_python("v.layers['wall'].visible", False)
    notebook.python("setattr(v.camera, 'center', (48, 48, 500)) or setattr(v.camera, 'zoom', 3)")
    wait_colour(page, 0.5, 0.5, "(r, g, b) == (255, 255, 255)")
    root.press("+")
    notebook.wait_python("round(v.camera.zoom, 3)", 3.6)
    root.press("0")
    wait_colour(page, 0.5, 0.5, "g > 120 and r < 110")
    notebook.python("setattr(v.layers['ball'], 'contrast_limits', (0.0, 0.25))")
    page.wait_for_function("document.querySelector('input[aria-label=White][type=number]').value == 0.25")
    root.locator("select[aria-label='Draw as']").select_option("mesh")
    notebook.wait_python("v.layers['ball'].metadata['style']", "mesh")
    page.locator(".spa-slice[data-axis=z] canvas").click(position={"x": 20, "y": 20})
    notebook.wait_python("v.dims.point[2] < 20 and v.dims.point[1] > 70", True)
    notebook.python("setattr(v.dims, 'point', (10, 20, 30))")
    page.wait_for_function("document.querySelector('.spa-slices').dataset.at == '15 10 5'")


def test_maps_are_cut_coloured_and_kept(open_notebook: Any, lab: Any) -> None:
    volume = ball(48, 14)
    write_mrc(lab.folder / "map.mrc", volume, 2.0)
    ramp = np.broadcast_to(np.linspace(3, 9, 48, dtype=np.float32), (48, 48, 48))
    write_mrc(lab.folder / "resolution.mrc", ramp, 2.0)
    files = [str(lab.folder / f"{name}.mrc") for name in ("map", "resolution")]
    notebook = open_notebook([START + f"v = VolumeViewer(*{files!r}, levels=[.5, 9], visible=[True, False])\nv"])
    page, root = notebook.page, notebook.widget()
    page.wait_for_selector(".spa[data-triangles]")
    root.locator("select[aria-label='Colour by']").select_option("resolution")
    wait_colour(page, 0.42, 0.5, "b > r and b > g and r > 30")  # violet to blue: the low end on the left
    wait_colour(page, 0.7, 0.5, "g > b + 40 and r > b")  # yellow: the high end on the right
    assert notebook.python("v.layers['map'].metadata['colour_by']['by']") == "resolution"
    root.locator("select[aria-label='Cut']").select_option("x")
    wait_colour(page, 0.7, 0.5, "(r, g, b) == (255, 255, 255)")
    normal = notebook.python("[float(a) for a in v.layers['map'].experimental_clipping_planes[0].normal]")
    assert normal == [0, 0, -1]
    root.get_by_label("Symmetry").fill("D3")
    root.get_by_label("Symmetry").press("Enter")
    notebook.wait_python("'D3 axes' in v.layers", True)
    with page.expect_download() as download:
        root.get_by_text("Download .mrc").click()
    assert download.value.suggested_filename == "map.mrc"
    saved = np.fromfile(download.value.path(), np.float32)[256:]
    assert np.array_equal(saved.reshape(volume.shape), volume)
    with page.expect_download() as picture:
        root.get_by_text("Snapshot").click()
    assert picture.value.path().read_bytes().startswith(b"\x89PNG")


def test_linked_viewers_turn_together(open_notebook: Any, lab: Any) -> None:
    two = "a, b = VolumeViewer(ball(32, 9)), VolumeViewer(ball(32, 9))\na.link_cameras(b)\n"
    cells = [START + BALL + two + "from IPython.display import display\ndisplay(a)\ndisplay(b)"]
    notebook = open_notebook(cells)
    notebook.widget(1)
    drag(notebook.page, ".spa-scene canvas", 80, 30)
    notebook.wait_python("float(a.camera.view_direction[0]) > -0.95", True)
    same = "bool(np.allclose(a.camera.view_direction, b.camera.view_direction, atol=1e-3))"
    notebook.wait_python(same, True)


@pytest.mark.skipif(bool(missing_parts()), reason=missing_parts() or "all is there")
def test_naparis_own_pictures_follow_the_mouse(open_notebook: Any, lab: Any) -> None:
    cell = BALL + "v = VolumeViewer(ball(48, 14), levels=[.5], colours=['#0000ff'])\nv"
    notebook = open_notebook([START + cell])
    page, root = notebook.page, notebook.widget()
    page.wait_for_selector(".spa[data-triangles]")
    root.locator("select[aria-label='Drawn by']").select_option("napari")
    page.wait_for_selector("[data-frame]", timeout=120_000)
    wait_colour(page, 0.5, 0.5, "b > 100 and r < 110")
    before = int(page.locator("[data-frame]").get_attribute("data-frame"))
    drag(page, ".spa-scene canvas", 80, 30)
    page.wait_for_function(f"Number(document.querySelector('[data-frame]').dataset.frame) > {before}")
    notebook.wait_python("float(v.camera.view_direction[0]) > -0.95", True)
    notebook.python("setattr(v.layers['map'], 'colormap', 'red')")
    wait_colour(page, 0.5, 0.5, "r > 100 and b < 110")
    notebook.python(
        "v.model.add_shapes(np.array([[[48, 0, 0], [48, 96, 96]]]), shape_type='line', edge_width=4) and None"
    )
    page.get_by_text("Shapes").first.wait_for()
    root.locator("select[aria-label='Drawn by']").select_option("browser")
    page.wait_for_selector(".spa[data-renderer=browser]")
    wait_colour(page, 0.5, 0.5, "r > 100 and b < 110")
    notebook.python("v.close()")
