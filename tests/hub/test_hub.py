"""A class on a real hub: people who click at once in browsers of their own, and walls between them."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import jupytext
import psutil
import pytest

from tests.browser.lab import ROOT
from tests.hub.running import RunningHub, as_user, engine_service, what_is_missing
from tests.support.widget_data import PIXEL_A, make_micrographs

# waiting ends with the state that is waited for; the limits are for a machine that is busy with other tests as well
pytestmark = [pytest.mark.browser, pytest.mark.timeout(1800)]
OPTICS = {"pixel_size_A": PIXEL_A, "voltage_kv": 300.0, "cs_mm": 1.6, "dose_e_per_A2": 35.0}
NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook"
BROWSER_S = 600.0
PRESS_AGAIN_S = 30.0
# a cell counts as given to the kernel when the next one is the active one, and code has a star or a number
IS_GIVEN = """([notebook, number]) => {
  const cells = [...document.querySelectorAll(`${notebook} .jp-Cell`)];
  const isCode = cells[number]?.classList.contains("jp-CodeCell");
  const waits = isCode && !/[*\\d]/.test(cells[number].querySelector(".jp-InputPrompt")?.textContent ?? "");
  return !waits && cells.findIndex((cell) => cell.classList.contains("jp-mod-active")) > number;
}"""
HAS_RUN = """([notebook, count]) => {
  const cells = [...document.querySelectorAll(`${notebook} .jp-Cell`)].slice(0, count);
  const code = cells.filter((cell) => cell.classList.contains("jp-CodeCell"));
  return cells.length === count && code.every((cell) => /\\d/.test(cell.querySelector(".jp-InputPrompt").textContent));
}"""


def first_cells() -> Any:
    """Give the tutorial's notebook up to the CTF."""
    source = ROOT / "notebooks" / "tutorial.py"
    notebook = jupytext.read(source)
    last = next(i for i, cell in enumerate(notebook.cells) if "estimate_ctf" in cell.source)
    notebook.cells = notebook.cells[: last + 1]
    return notebook


def first_cells_count() -> int:
    return len(first_cells().cells)


@pytest.fixture(scope="module")
def class_folder() -> Iterator[Path]:
    """Micrographs and notebooks of the class, in a folder that all can read."""
    reason = what_is_missing()
    if reason:
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="spa-hub-"))  # pytest's own folders are closed to others
    folder.chmod(0o755)
    make_micrographs(folder / "micrographs")
    (folder / "notebooks").mkdir()
    jupytext.write(first_cells(), folder / "notebooks" / "tutorial.ipynb")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def hub(class_folder: Path) -> Iterator[RunningHub]:
    """A running hub with an engine service, two guests and a looker-on."""
    running = RunningHub(
        class_folder / "hub",
        notebooks=str(class_folder / "notebooks"),
        class_store=str(class_folder / "service" / "store"),
        service=str(class_folder / "service"),
        tutorial={"micrographs": str(class_folder / "micrographs" / "*.mrc"), **OPTICS},
    )
    try:
        running.guests(2, "guests", f"trial{os.getpid()}g")
        running.guests(1, "lookers-on", f"trial{os.getpid()}l")
        with engine_service(class_folder / "service"):
            running.start()
            yield running
    finally:
        running.close()


def people(hub: RunningHub, letter: str) -> list[str]:
    return [name for name in hub.phrases if f"{letter}0" in name]


def log_in(hub: RunningHub, browser: Any, name: str, phrase: str | None = None) -> Any:
    """Open a browser of one's own and log in; gives the page."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(BROWSER_S * 1000)
    page.goto(f"{hub.url}/hub/login")
    page.fill("#username_input", name)
    page.fill("#password_input", phrase or hub.phrases[name])
    page.click("#login_submit")
    return page


def run_cells(pages: list[Any]) -> None:
    """Run the notebook in several browsers, a cell here and a cell there, and wait until every cell has run."""
    count = first_cells_count()
    for page in pages:
        page.locator(f"{NOTEBOOK} .jp-Cell").nth(count - 1).wait_for(state="attached")
    for number in range(count):
        for page in pages:
            give_to_kernel(page, number)
    for page in pages:
        until(page, lambda page=page: page.evaluate(HAS_RUN, [NOTEBOOK, count]))


def give_to_kernel(page: Any, number: int) -> None:
    """Press Shift+Enter in a cell until the page has taken it: a page that is still loading may lose a key."""
    cell = page.locator(f"{NOTEBOOK} .jp-Cell").nth(number)

    def press() -> None:
        cell.click(position={"x": 40, "y": 12}, timeout=PRESS_AGAIN_S * 1000)  # beside its text
        page.keyboard.press("Shift+Enter")

    until(page, lambda: page.evaluate(IS_GIVEN, [NOTEBOOK, number]), press)


def until(page: Any, is_so: Callable[[], bool], press: Callable[[], None] = lambda: None) -> None:
    """Wait for a state of a page, pressing again when it does not come; fails with what the page shows."""
    from playwright.sync_api import TimeoutError as TooLate

    deadline, pressed = time.monotonic() + BROWSER_S, 0.0
    while not is_so():
        if time.monotonic() - pressed > PRESS_AGAIN_S:
            with suppress(TooLate):
                press()
            pressed = time.monotonic()
        if time.monotonic() > deadline:
            raise AssertionError(page.locator("body").inner_text()[-3000:])
        page.wait_for_timeout(100)


def finished_job(home: Path, name: str) -> dict[str, Any]:
    """Wait for a finished job in a participant's project and give its facts."""
    deadline = time.monotonic() + BROWSER_S
    path = home / "tutorial-output" / "project" / "jobs" / name / "job.json"
    while time.monotonic() < deadline:
        if path.exists() and (facts := json.loads(path.read_text(encoding="utf-8")))["state"] == "finished":
            return dict(facts)
        time.sleep(0.3)
    raise AssertionError(f"{path}: {path.read_text(encoding='utf-8') if path.exists() else 'is not there'}")


@pytest.fixture(scope="module")
def pages(hub: RunningHub, browser: Any) -> Iterator[dict[str, Any]]:
    """Both guests have opened the tutorial and run its first cells, clicking in turn."""
    opened = {name: log_in(hub, browser, name) for name in people(hub, "g")}
    run_cells(list(opened.values()))
    yield opened
    for page in opened.values():
        page.context.close()


def processes(name: str, word: str) -> list[psutil.Process]:
    """Give the processes of a user whose command has this word."""
    found = []
    for process in psutil.process_iter(["username", "cmdline"]):
        if process.info["username"] == name and word in " ".join(process.info["cmdline"] or ()):
            found.append(process)
    return found


def test_what_two_people_ask_at_once_is_computed_once(
    hub: RunningHub, pages: dict[str, Any], class_folder: Path
) -> None:
    keys = {finished_job(hub.home(name), "J2-estimate_ctf")["key"] for name in pages}
    assert len(keys) == 1
    computed = sorted(path.name for path in (class_folder / "service" / "engine" / "jobs").iterdir())
    assert computed == ["J1-import_micrographs", "J2-estimate_ctf"]
    store = class_folder / "service" / "store"
    for name in pages:  # results are the service's: nobody else changes them or adds to them
        tried = as_user(name, "find", str(store), "-writable", "-not", "-type", "l")
        assert (tried.returncode, tried.stdout) == (0, "")


def test_each_page_shows_the_widget_of_its_own_kernel(hub: RunningHub, pages: dict[str, Any]) -> None:
    for page in pages.values():
        page.locator(f"{NOTEBOOK} .spa").first.wait_for()
        assert page.locator(f"{NOTEBOOK} .jp-OutputArea-output[data-mime-type*=error]").count() == 0


def test_guests_cannot_reach_each_other(hub: RunningHub, pages: dict[str, Any]) -> None:
    first, second = pages
    for target in (
        hub.home(first),
        hub.home(first) / ".local",
        hub.folder / "etc" / "phrases.txt",
        hub.folder / "state",
    ):
        assert as_user(second, "ls" if target.is_dir() else "cat", str(target)).returncode != 0, target
    for path in ("lab", "api/contents", "api/kernels"):
        answer = pages[second].request.get(f"{hub.url}/user/{first}/{path}")
        assert answer.status in (403, 404), (path, answer.status)
    assert pages[first].request.get(f"{hub.url}/user/{first}/api/kernels").status == 200


def test_kernels_and_servers_answer_nobody_else(hub: RunningHub, pages: dict[str, Any]) -> None:
    first, second = pages
    runtime = hub.home(first) / ".local" / "share" / "jupyter" / "runtime"
    (connection,) = runtime.glob("kernel-*.json")
    assert json.loads(connection.read_text(encoding="utf-8"))["transport"] == "ipc"
    channels = [path for path in runtime.iterdir() if path.is_socket()]
    assert len(channels) >= 4, "shell, control, output, input, heartbeat"
    for channel in channels:
        knock = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
        assert "PermissionError" in as_user(second, str(hub.python), "-c", knock, str(channel)).stderr
    server = processes(first, "jupyterhub.singleuser")[0]
    ports = [found.laddr.port for found in server.net_connections("inet") if found.status == psutil.CONN_LISTEN]
    assert len(ports) == 1
    asked = as_user(second, str(hub.python), "-c", ASK_DIRECTLY, str(ports[0]), first)
    assert asked.stdout.strip() == "refused", asked


# without the hub's certificate there is no answer; no certificate is asked of the server, as an attacker would
ASK_DIRECTLY = """
import socket, ssl, sys
context = ssl.create_default_context(); context.check_hostname = False; context.verify_mode = ssl.CERT_NONE
try:
    stream = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10))
    stream.sendall(f"GET /user/{sys.argv[2]}/api HTTP/1.0\\r\\n\\r\\n".encode())
    print(stream.recv(100) or "refused")
except (ssl.SSLError, ConnectionError):
    print("refused")
"""


def test_limits_hold_in_kernels(hub: RunningHub, pages: dict[str, Any]) -> None:
    for name in pages:
        kernel = processes(name, "ipykernel_launcher")[0]
        limits = Path(f"/proc/{kernel.pid}/limits").read_text(encoding="utf-8")
        assert re.search(rf"Max data size +{3 * 2**30} +{3 * 2**30} ", limits), limits
        assert re.search(r"Max processes +500 +500 ", limits), limits
        assert "Umask:\t0077" in Path(f"/proc/{kernel.pid}/status").read_text(encoding="utf-8")
        assert kernel.nice() >= 5


def server_started_without_a_page(hub: RunningHub, browser: Any, name: str) -> psutil.Process:
    """Log in as a browser does, without drawing anything, and give the notebook server."""
    asking = browser.new_context()
    asking.request.get(f"{hub.url}/hub/login")
    token = next(cookie["value"] for cookie in asking.cookies() if cookie["name"] == "_xsrf")
    form = {"username": name, "password": hub.phrases[name], "_xsrf": token}
    asking.request.post(f"{hub.url}/hub/login?next=/hub/spawn", form=form, timeout=BROWSER_S * 1000)
    deadline = time.monotonic() + BROWSER_S
    while not (started := processes(name, "jupyterhub.singleuser")) and time.monotonic() < deadline:
        time.sleep(0.2)
    asking.close()
    return started[0]


def test_a_looker_on_sees_results_and_computes_nothing(
    hub: RunningHub, pages: dict[str, Any], browser: Any, class_folder: Path
) -> None:
    (looker,) = people(hub, "l")
    told = server_started_without_a_page(hub, browser, looker).environ()
    assert told["SPA_READ_ONLY"] == "1"
    assert "SPA_SERVICE" not in told
    assert (hub.home(looker) / "tutorial.ipynb").stat().st_mode & 0o077 == 0
    finished_job(hub.home(people(hub, "g")[0]), "J2-estimate_ctf")
    looked = as_user(looker, str(hub.python), "-c", LOOK, env=told)
    assert looked.stdout.splitlines() == ["finished", "finished", "refused"], looked.stderr[-2000:]
    spool = class_folder / "service" / "spool"
    assert as_user(looker, "touch", str(spool / "request")).returncode != 0


LOOK = """
import os; os.chdir(os.environ["HOME"])
from spa_widgets import Session
from spa_widgets.errors import UserError
from spa_widgets.tutorial import tutorial_data
data = tutorial_data()
session = Session(data.project)
data.prepare(session)
mics = session.import_micrographs(data.pattern, pixel_size_A=data.pixel_size_A, voltage_kv=data.voltage_kv,
    cs_mm=data.cs_mm, amplitude_contrast=data.amplitude_contrast, dose_e_per_A2=data.dose_e_per_A2)
print(mics.status)
print(session.estimate_ctf(mics).status)
try:
    session.estimate_ctf(mics, max_defocus_A=31234.0)
except UserError as error:
    print("refused" if "not been computed by the class" in str(error) else error)
"""


def test_a_wrong_phrase_opens_nothing(hub: RunningHub, browser: Any) -> None:
    first, second = people(hub, "g")
    page = log_in(hub, browser, first, hub.phrases[second])
    page.locator(".login_error").wait_for()
    page.context.close()
