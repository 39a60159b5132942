"""Run the tutorial's notebook from top to bottom without a person, and leave a report."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.tutorial.data import TutorialSettings
from spa_widgets.tutorial.memory import PeakMemory
from spa_widgets.tutorial.report import format_value

MAPS = ("map.mrc", "map_sharp.mrc", "half_A.mrc", "half_B.mrc", "mask_refine.mrc", "mask_fsc.mrc")


def find_notebook(language: str = "en") -> Path:
    """Return the tutorial's source: in the installed package, or beside it in a checkout.

    Raises
    ------
    UserError
        When it is in neither place.
    """
    name = "tutorial.py" if language == "en" else f"tutorial.{language}.py"
    package = Path(__file__).resolve().parents[1]
    for place in (package / "notebooks" / name, package.parent / "notebooks" / name):
        if place.exists():
            return place
    raise UserError(f"The tutorial in language {language!r} is not installed; there are en and ja.")


def run_tutorial(settings: TutorialSettings, language: str = "en", timeout_s: float | None = None) -> dict[str, Any]:
    """Execute the tutorial and write ``tutorial.ipynb``, ``report.html``, ``maps/`` and ``results.json``.

    Parameters
    ----------
    settings : TutorialSettings
        Data, device and output folder.
    language : str
        ``en`` or ``ja``.
    timeout_s : float, optional
        Longest time for one cell.

    Returns
    -------
    dict
        The content of ``results.json``.

    Raises
    ------
    UserError
        When a cell fails; the notebook up to that cell is kept.
    """
    import jupytext
    import nbformat

    out = Path(settings.out).absolute()
    out.mkdir(parents=True, exist_ok=True)
    settings = replace(settings, out=str(out), micrographs=_absolute(settings.micrographs))
    notebook = jupytext.read(find_notebook(language))
    begun = time.monotonic()
    with PeakMemory(out / "project") as memory:
        try:
            _execute(notebook, settings, out, timeout_s)
        finally:
            nbformat.write(notebook, out / "tutorial.ipynb")
            _write_html(notebook, out / "report.html")
    results: dict[str, Any] = json.loads((out / "results.json").read_text(encoding="utf-8"))
    results["total_seconds"] = time.monotonic() - begun
    results["peak_memory_pss_MB"] = memory.peak_bytes / 1e6
    results["maps"] = _copy_maps(results, out / "maps")
    (out / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False), encoding="utf-8")
    return results


def _absolute(pattern: str) -> str:
    """Make a pattern independent of the folder that the notebook runs in."""
    return str(Path(pattern).expanduser().absolute()) if pattern else ""


def _execute(notebook: Any, settings: TutorialSettings, out: Path, timeout_s: float | None) -> None:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    titles = _cell_titles(notebook)

    def announce(cell: Any, cell_index: int, **_: Any) -> None:
        if cell_index in titles:
            print(f"[{cell_index + 1:2d}/{len(notebook.cells)}] {titles[cell_index]}", file=sys.stderr, flush=True)

    client = NotebookClient(
        notebook,
        timeout=timeout_s,
        kernel_name="python3",
        resources={"metadata": {"path": str(out)}},
        on_cell_start=announce,
        coalesce_streams=True,
    )
    try:
        client.execute(env={**os.environ, **settings.to_environment()})
    except CellExecutionError as error:
        reason = f"{error.ename}: {error.evalue}" if error.ename != "UserError" else str(error.evalue)
        raise UserError(f"The tutorial stopped: {reason} (the notebook so far is {out / 'tutorial.ipynb'}).") from error
    except AssertionError as error:  # at Ctrl-C nbclient lets go of the kernel, and then misses it
        raise KeyboardInterrupt from error


def _cell_titles(notebook: Any) -> dict[int, str]:
    """Return the last heading before each code cell."""
    titles, title = {}, "start"
    for index, cell in enumerate(notebook.cells):
        headings = [line for line in cell.source.splitlines() if line.startswith("#")]
        if cell.cell_type == "markdown" and headings:
            title = headings[0].lstrip("# ")
        elif cell.cell_type == "code":
            titles[index] = title
    return titles


def _write_html(notebook: Any, path: Path) -> None:
    """Write the notebook as a page that needs no kernel and no network: static pictures stand for the widgets."""
    from copy import deepcopy

    from nbconvert import HTMLExporter

    page = deepcopy(notebook)
    page.metadata.pop("widgets", None)
    for cell in page.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if len(data) > 1:
                data.pop("application/vnd.jupyter.widget-view+json", None)
    html, _ = HTMLExporter(template_name="lab", embed_images=True).from_notebook_node(page)
    path.write_text(html, encoding="utf-8")


def _copy_maps(results: dict[str, Any], folder: Path) -> list[str]:
    refined = [job for job in results["jobs"] if job["step"] == "refine"]
    if not refined:
        return []
    folder.mkdir(exist_ok=True)
    copied = []
    for name in MAPS:
        source = Path(refined[-1]["folder"]) / name
        if source.exists():
            shutil.copyfile(source, folder / name)
            copied.append(str(folder / name))
    return copied


def summary(results: dict[str, Any], out: Path) -> str:
    """Return what a person wants to know at the end: figures, times, and where everything is."""
    lines = []
    for check in results["checks"].values():
        lines.append(check["title"])
        for name, value in check["figures"].items():
            lines.append(f"  {name:<62} {format_value(value):>9} {check['remarks'][name]}".rstrip())
    lines.append("Time of each job")
    lines += [f"  {job['job'] + ' ' + job['step']:<62} {job['seconds'] or 0:7.1f} s" for job in results["jobs"]]
    lines.append(f"  {'whole notebook':<62} {results['total_seconds']:7.1f} s")
    lines.append(f"  {'peak memory of all processes (PSS)':<62} {results['peak_memory_pss_MB']:7.0f} MB")
    lines.append(f"Notebook  {out / 'tutorial.ipynb'}")
    lines.append(f"Report    {out / 'report.html'}")
    lines.append(f"Maps      {out / 'maps'}")
    return "\n".join(lines)


def main(settings: TutorialSettings, language: str = "en") -> int:
    """Run the tutorial and print its summary; return the exit status."""
    results = run_tutorial(settings, language)
    print(summary(results, Path(settings.out).absolute()))
    return 0
