"""A real engine service in a folder that everybody may enter, and sessions that submit to it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "session"))

from service_support import RunningService
from session_support import end_runner, toy_steps_registered

from spa_widgets.session.session import Session


@pytest.fixture(scope="module", autouse=True)
def toy_steps() -> Iterator[None]:
    with toy_steps_registered():
        yield


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder that other accounts may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="spa-service-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def service(toy_steps: None, open_folder: Path) -> Iterator[RunningService]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPA_THREADS", "1")
        running = RunningService(open_folder / "srv")
        running.start()
        yield running
        running.stop()


@pytest.fixture(scope="module")
def participant(service: RunningService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Session]]:
    """Open sessions of participants, each with a project of its own."""
    folder = tmp_path_factory.mktemp("participants")
    opened: list[Session] = []

    def open_one(name: str) -> Session:
        opened.append(Session(folder / name, service=service.root))
        return opened[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPA_RUNNER_IDLE_S", "5")
        yield open_one
        for session in opened:
            end_runner(session)


@pytest.fixture
def as_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to be several users")
