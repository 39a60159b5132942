"""A project whose runner knows the toy steps and ends soon after the last job."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
os.environ["SPA_EXTRA_STEPS"] = "toy_steps"

import toy_steps  # noqa: F401
from session_support import end_runner

from spa_widgets.session.session import Session
from spa_widgets.session.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


@pytest.fixture(scope="module")
def open_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Session]]:
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
