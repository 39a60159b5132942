"""Our steps as commands: what a person pays, start of the program and files included."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spa_widgets.session.registry import all_steps, load_steps
from tests.benchmarks.measure import Cost, run_command


def spa(arguments: Sequence[object], out: Path, folder: Path, limit_cpu_s: float = 3600.0) -> Cost:
    """Run ``spa`` with a store of its own, so that nothing is known before.

    Parameters
    ----------
    arguments : sequence
        Command and its arguments, without ``--out``.
    out : Path
        Where the results go.
    folder : Path
        Working folder, which also holds the store.
    """
    command = [sys.executable, "-m", "spa_widgets.cli", *(str(part) for part in arguments), "--out", str(out)]
    options = ["--store", str(folder / "store" / out.name), "--device", "cpu", "--quiet"]
    return run_command([*command, *options], folder, limit_cpu_s)


def report_of(out: Path) -> dict[str, Any]:
    """Return ``report.json`` of a command."""
    result: dict[str, Any] = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return result


def has_step(name: str) -> bool:
    """Tell whether a step exists."""
    load_steps()
    return name in {step.name for step in all_steps()}


def stages_note(out: Path) -> str:
    """Say how long the stages of a step took by the clock, start of the program left out."""
    stages: dict[str, float] = report_of(out).get("stages_s", {})
    return "our stages by the clock: " + ", ".join(f"{name} {s:.1f} s" for name, s in stages.items()) if stages else ""
