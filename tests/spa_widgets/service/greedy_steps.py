"""A step that takes memory or disk and tells on which device it ran; with a stand-in for CuPy where the test asks."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from spa_widgets.session.context import JobContext
from spa_widgets.session.params import StepParams, param
from spa_widgets.session.registry import Output, Step, register

PRETEND_VARIABLE = "SPA_TEST_PRETEND_GPU"

if os.environ.get(PRETEND_VARIABLE) and "cupy" not in sys.modules:
    import pytest

    sys.path.insert(0, str(Path(__file__).parents[2] / "support"))
    import cupy_on_cpu

    cupy_on_cpu.install(pytest.MonkeyPatch(), Path(tempfile.gettempdir()))


class TakeParams(StepParams):
    memory_mb: int = param(0, label="Memory", help="Takes it step by step.", ge=0)
    disk_mb: int = param(0, label="Disk", help="Writes it step by step.", ge=0)
    seconds: float = param(0.0, label="Time", unit="s", help="Holds what it took.", ge=0)
    mark: int = param(0, label="Mark", help="Makes jobs different.")


def take(ctx: JobContext) -> None:
    held = []
    for number in range(0, max(ctx.params.memory_mb, ctx.params.disk_mb), 10):
        if number < ctx.params.memory_mb:
            held.append(np.ones(10 << 20, np.uint8))
        if number < ctx.params.disk_mb:
            (ctx.out / f"part{number}").write_bytes(bytes(10 << 20))
        ctx.progress(number, max(ctx.params.memory_mb, ctx.params.disk_mb), f"{number} MB")
        time.sleep(0.05)
    deadline = time.monotonic() + ctx.params.seconds
    while time.monotonic() < deadline:
        ctx.check_cancelled()
        time.sleep(0.05)
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    (ctx.out / "where.json").write_text(
        json.dumps({"device": ctx.device, "visible": seen, "mark": ctx.params.mark}), encoding="utf-8"
    )


TAKE = register(
    Step("toy_take", 1, TakeParams, "Toy that takes", "greedy_steps:take",
         outputs=[Output("where", "table", "where.json")])
)  # fmt: skip
