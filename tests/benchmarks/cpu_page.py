"""The page of figures on the CPU, ``docs/benchmarks/cpu.md``: a section for each benchmark, replaced when it is run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.benchmarks.report import cells, remarks

_HEAD = """# Steps on the CPU

Written by `make bench`; a part of it by `python -m tests.benchmarks.run NAME …`, which replaces the sections of what it
ran, so each says by itself when and on what it was measured. How to read the columns, and what each benchmark does:
[tests/benchmarks/README.md](../../tests/benchmarks/README.md). Ratios are those of CPU time; a ratio counts only where
the accuracy below the table is as good.
"""
_COLUMNS = ("what", "wall s", "CPU s", "peak MB", "reference", "its CPU s", "its MB", "ratio")
_SECTION = re.compile(r"^## (\w+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def write_sections(
    page: Path, order: Iterable[str], name: str, machine: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    """Put the figures of one benchmark into the page, and leave what it says of others.

    Parameters
    ----------
    page : Path
    order : names of all benchmarks; sections follow it.
    name : the benchmark that was run.
    machine : what it was run on.
    rows : its rows, as `Row.to_json` gives them.
    """
    kept = dict(_SECTION.findall(page.read_text(encoding="utf-8"))) if page.exists() else {}
    kept[name] = _section(machine, rows)
    sections = [f"## {each}\n\n{kept[each].strip()}\n" for each in order if each in kept]
    page.write_text("\n".join([_HEAD, *sections]), encoding="utf-8")


def _section(machine: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    facts = [f"{machine['date']}, {machine['processor']}, {_several(machine['threads'], 'thread')}"]
    facts += [f"{key} {machine[key]}" for key in ("python", "numpy", "scipy", "numba")]
    table = [_line(_COLUMNS), "|---" * len(_COLUMNS) + "|", *(_line(cells(row)) for row in rows)]
    said = [f"- {row['name']}: {remark}" for row in rows for remark in remarks(row)]
    return "\n".join([f"{', '.join(facts)}; load of the machine {machine['load']}.", "", *table, "", *said])


def _several(count: int, noun: str) -> str:
    return f"{count} {noun}" + "s" * (count != 1)


def _line(texts: Iterable[str]) -> str:
    return "| " + " | ".join(texts) + " |"
