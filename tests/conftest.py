"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.chromium import browser  # noqa: F401  (a fixture: Playwright runs once in a process)

REPOSITORY = Path(__file__).resolve().parents[1]
# Files that take half a minute and more, the longest first: dealt out last, one of them would keep a single core busy.
LONG = (
    "notebooks/",
    "hub/",
    "browser/",
    "engine/initial_model/",
    "spa_widgets/steps/test_determinism",
    "spa_widgets/session/test_cluster",
    "spa_widgets/service/",
    "agreement/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first; the order within a file stays."""

    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(REPOSITORY / "tests").as_posix()
        return next((index for index, start in enumerate(LONG) if path.startswith(start)), len(LONG))

    items.sort(key=place)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the tests of the GPU path run on a real card; they fail, and are not skipped, where there is none."""
    parser.addoption("--gpu", action="store_true", help="tests/gpu on the card that CuPy sees, not on the stand-in")


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded generator: tests repeat themselves."""
    return np.random.default_rng(20210624)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the repository; tests that need it are skipped without it."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real data are not at {folder}")
    return folder
