"""A project whose runner knows the toy steps and ends soon after the last job."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from session_support import end_runner, toy_steps_registered

from spa_widgets.session.session import Session
from spa_widgets.session.store import Store


@pytest.fixture(scope="module", autouse=True)
def toy_steps() -> Iterator[None]:
    """The toy steps, here and in the processes started from here; gone again after the module."""
    with toy_steps_registered():
        yield


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


@pytest.fixture(scope="module")
def open_session(toy_steps: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Session]]:
    """Open sessions on projects in one temporary folder; their runners are ended after the module."""
    folder = tmp_path_factory.mktemp("projects")
    opened: list[Session] = []

    def open_one(name: str = "project", **options: object) -> Session:
        opened.append(Session(folder / name, device="cpu", **options))  # type: ignore[arg-type]
        return opened[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPA_RUNNER_IDLE_S", "30")
        patch.setenv("SPA_THREADS", "1")
        yield open_one
        for session in opened:
            end_runner(session)
