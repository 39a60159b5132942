"""A notebook in every language is the same program."""

from __future__ import annotations

from pathlib import Path

import jupytext
import pytest

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def cells(name: str, kind: str) -> list[str]:
    return [cell.source for cell in jupytext.read(NOTEBOOKS / name).cells if cell.cell_type == kind]


@pytest.mark.parametrize("name", ["tutorial", "experiments"])
def test_the_code_is_the_same_in_both_languages(name: str) -> None:
    assert cells(f"{name}.py", "code") == cells(f"{name}.ja.py", "code")
    english, japanese = cells(f"{name}.py", "markdown"), cells(f"{name}.ja.py", "markdown")
    assert len(english) == len(japanese)
    assert english != japanese


def test_every_job_of_the_workshop_is_there_in_order() -> None:
    headings = [
        line for cell in cells("tutorial.py", "markdown") for line in cell.splitlines() if line.startswith("## J")
    ]
    numbers = [int(line.split()[1].removeprefix("J")) for line in headings]
    assert numbers == [1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14, 15]
