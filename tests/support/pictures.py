"""Take the README's pictures of the widgets, in JupyterLab, from a project of the tutorial.

``python -m tests.support.pictures tutorial-output/project`` writes ``docs/pictures/*.webp``.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, sync_playwright

from tests.browser.lab import CHROMIUM_ARGUMENTS, ROOT, Lab, find_chromium

FOLDER = ROOT / "docs" / "pictures"
WIDGETS = {
    "inspector": "PickInspector(session, jobs('pick_templates')[0])",
    "gallery": "ClassGallery(session, jobs('classify_2d')[-1], propose=True)",
    "fsc": "FSCPlot(jobs('refine')[0])",
    "volume": "VolumeViewer(jobs('refine')[0].output('map'))",
}
_OPEN = """from spa_widgets import *
session = Session({project!r})
def jobs(step):
    return [job for job in session if job.step.name == step and job.status == 'finished']"""
_SIZE = {"width": 1600, "height": 1100}
_SETTLED_MS = 6_000  # drawing in software goes on after the first paint
_WIDTH_PX = 1000


def main(arguments: list[str]) -> int:
    """Write the pictures; return 0, or 2 when no project is named."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    project = str(Path(arguments[0]).resolve())
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder))
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_ARGUMENTS)
                page = browser.new_page(viewport=_SIZE)
                for name, code in WIDGETS.items():
                    notebook = lab.notebook(page, [_OPEN.format(project=project), code], name)
                    page.evaluate("window.jupyterapp.shell.collapseLeft()")
                    _take(notebook.widget(), FOLDER / f"{name}.webp")
                    notebook.close()
                browser.close()
        finally:
            lab.close()
    return 0


def _take(widget: Locator, file: Path) -> None:
    widget.page.wait_for_timeout(_SETTLED_MS)
    widget.scroll_into_view_if_needed()
    picture = Image.open(io.BytesIO(widget.screenshot())).convert("RGB")
    picture.resize((_WIDTH_PX, round(picture.height * _WIDTH_PX / picture.width)), Image.Resampling.LANCZOS).save(
        file, quality=82, method=6
    )
    print(file.relative_to(ROOT), f"{file.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
