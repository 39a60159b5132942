"""Forms, sweeps and the job panel by hand, in JupyterLab: a reload and a new kernel lose nothing, two tabs agree."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.lab import RUN_ALL
from tests.support.widget_data import PIXEL_A, make_micrographs

pytestmark = pytest.mark.browser


@pytest.fixture
def opening(lab: Any, request: pytest.FixtureRequest) -> str:
    """A cell that opens a session with micrographs, one of them with a hostile name."""
    folder = lab.folder / request.node.name
    star = make_micrographs(folder / "mics", hostile=True)
    return (
        f"from spa_widgets import Session, StepForm, JobPanel, SessionTree\ns = Session({str(folder / 'project')!r})\n"
        f"m = s.import_micrographs({str(star.parent / '*.mrc')!r}, pixel_size_A={PIXEL_A}, voltage_kv=300, cs_mm=1.6,"
        " dose_e_per_A2=35.0)"
    )


def test_a_form_is_filled_in_run_and_there_again_in_a_new_kernel(open_notebook: Any, opening: str) -> None:
    doubled = f"pixel_size_A={2 * PIXEL_A}, voltage_kv=300, cs_mm=1.6"
    importing = f"g = StepForm(s, 'import_micrographs', files=m.inputs['files']['files'][0], {doubled})\ng"
    notebook = open_notebook([opening, "f = StepForm(s, 'pick_blobs')\nf", importing])
    page, root = notebook.page, notebook.widget()
    told = page.get_by_role("status", name="What looks wrong: 1")
    told.get_by_text("a factor of 2: is one the size before binning?").wait_for()
    told.get_by_role("button", name=f"Set Pixel size to {PIXEL_A} Å").click()
    page.wait_for_function("!document.querySelector('.spa-finding')")
    notebook.wait_python("g.values['pixel_size_A']", PIXEL_A)
    diameter = root.locator("[data-field=diameter_A] input")
    diameter.fill("7")
    diameter.press("Enter")
    root.locator("[data-field=diameter_A] .spa-problem", has_text="greater than or equal to 20").wait_for()
    assert root.locator("button[type=submit]").is_disabled() and diameter.get_attribute("aria-invalid") == "true"
    diameter.fill("70")
    root.locator("[data-field=min_ncc] input").fill("0.3")
    root.locator("[data-field=min_ncc] input").press("Control+Enter")
    root.locator("form[data-job=J2]").wait_for()
    notebook.wait_python("[s['J2'].params[name] for name in ('diameter_A', 'min_ncc')]", [70, 0.3])
    assert "min_ncc=0.3, diameter_A=70.0" in root.locator(".spa-code").inner_text()
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(1000)
    kernel = notebook.lab.api("sessions")[0]["kernel"]["id"]
    notebook.lab.api(f"kernels/{kernel}/restart", "POST")
    notebook.close()
    page.reload()
    page.wait_for_function("window.jupyterapp && document.querySelector('.jp-Notebook .jp-Cell')")
    page.evaluate(RUN_ALL)
    page.wait_for_function(
        "document.querySelector('.jp-OutputArea-output .spa [data-field=diameter_A] input')?.value === '70'"
    )
    assert notebook.page.locator(".spa [data-field=min_ncc] input").first.input_value() == "0.3"


def test_a_sweep_is_compared_and_two_tabs_agree(open_notebook: Any, opening: str) -> None:
    sweep = "w = s.sweep('pick_blobs', m, diameter_A=[60, 70], low_pass_A=[20, 30])\nw"
    notebook = open_notebook([opening, sweep, "panel = SessionTree(s)\npanel"])
    page, root = notebook.page, notebook.widget()
    done = (
        "document.querySelectorAll('.spa-tile[data-status=finished]').length === 4 && "
        "[...document.querySelectorAll('.spa-sweep-picture')].every((image) => image.naturalWidth > 0)"
    )
    page.wait_for_function(done)
    root.locator("select").nth(2).select_option("more")
    root.locator(".spa-tile.spa-best").wait_for()
    best = notebook.python("w.best(w.view().figure, largest=True).name")
    assert root.locator(".spa-tile.spa-best").get_attribute("data-job") == best
    root.locator(".spa-tile").first.press("Enter")
    root.locator(".spa-detail .spa-code", has_text="session.pick_blobs(").wait_for()
    root.locator("select").first.select_option("plot")
    page.wait_for_function("document.querySelectorAll('.spa-sweep circle').length === 4")
    assert page.locator("img[src=x]").count() == 0
    tree = page.locator(".spa").nth(1)
    tree.locator("g[data-node=J2]", has_text="×4").press("Enter")  # a fold of alike jobs opens
    tree.locator("g[data-node=J3]").press("Enter")
    notebook.wait_python("panel.selected", "J3")
    with page.expect_download() as archive:
        tree.locator("g[data-node=J3]").press("e")
        tree.get_by_role("checkbox", name="without micrographs").check()
        tree.locator("[data-act=write]").press("Enter")
        tree.locator("[data-export=done]").get_by_role("button", name="Download").click()
    assert archive.value.suggested_filename == "project_J3.spa"
    tree.get_by_role("status").get_by_text("Written: 2 jobs").wait_for()
    assert notebook.python("panel.exporting['lacks'] > 0 and panel.without_micrographs")
    sent = archive.value.path().read_bytes()
    assert len(sent) == notebook.python("panel.exporting['bytes']") and sent.startswith(b"PK")
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(1000)
    other = page.context.new_page()
    other.goto(page.url)
    other.locator(".spa-detail .spa-code", has_text="low_pass_A=30.0").first.wait_for(timeout=60_000)
    tree.locator("[data-act=edit]").click()
    tree.locator("[data-field=diameter_A] input").fill("80")
    tree.locator("[data-field=diameter_A] input").press("Control+Enter")
    notebook.wait_python("len(s)", 6)
    notebook.wait_python("[s['J6'].params[name] for name in ('diameter_A', 'low_pass_A')]", [80, 30])
    other.locator("g[data-node=J2][data-status=finished]", has_text="×5").wait_for(timeout=60_000)  # folded there
    other.close()
