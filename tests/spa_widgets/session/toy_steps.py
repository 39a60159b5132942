"""Small real steps for the tests of the session: a seeded power iteration and a scaling of its result."""

from __future__ import annotations

import time

import numpy as np

from spa_widgets.errors import UserError
from spa_widgets.session.context import JobContext
from spa_widgets.session.params import SeededParams, StepParams, param
from spa_widgets.session.registry import Input, Output, Step, register


class IterateParams(SeededParams):
    size: int = param(40, label="Size", help="Rows of the matrix.", ge=2, le=500)
    iterations: int = param(20, label="Iterations", help="How many.", ge=1, le=10000)
    pause_s: float = param(0.0, label="Pause", unit="s", help="Makes it slow.", ge=0, le=10)
    noise: float = param(0.01, label="Noise", help="Added in each iteration.", ge=0)


def iterate(ctx: JobContext) -> None:
    """Noisy power iteration: the random generator's state goes into the checkpoint, as in the real steps."""
    p = ctx.params
    matrix = np.random.default_rng(1).standard_normal((p.size, p.size))
    rng = ctx.rng()
    state = ctx.load_checkpoint()
    vector = np.ones(p.size) if state is None else state["vector"]
    first = 0 if state is None else int(state["iteration"])
    if state is not None:
        words = [int(word) for word in state["rng"]]
        rng.bit_generator.state = {
            "bit_generator": "PCG64",
            "state": {"state": words[0] << 64 | words[1], "inc": words[2] << 64 | words[3]},
            "has_uint32": 0,
            "uinteger": 0,
        }
    mask = 2**64 - 1
    with ctx.stage("iterate"):
        for iteration in range(first, p.iterations):
            vector = matrix @ vector + p.noise * rng.standard_normal(p.size)
            vector /= np.linalg.norm(vector)
            inner = rng.bit_generator.state["state"]
            words = [inner["state"] >> 64, inner["state"] & mask, inner["inc"] >> 64, inner["inc"] & mask]
            if iteration % 5 == 0:
                ctx.picture("vector", np.full((4, 4), iteration, np.uint8), f"after {iteration + 1}")
            ctx.save_checkpoint({"vector": vector, "iteration": iteration + 1, "rng": np.array(words, np.uint64)})
            ctx.progress(iteration + 1, p.iterations, f"iteration {iteration + 1}")
            time.sleep(p.pause_s)
    np.save(ctx.out / "vector.npy", vector)
    (ctx.out / "table.csv").write_text("x\n" + "\n".join(f"{value:.17g}" for value in vector) + "\n", encoding="utf-8")
    ctx.figure("norm", np.float64(np.abs(vector).max()))


class ScaleParams(StepParams):
    factor: float = param(2.0, label="Factor", help="Multiplies.")


def scale(ctx: JobContext) -> None:
    if ctx.params.factor == 13:
        raise UserError("13 is an unlucky factor; choose another.")
    if ctx.params.factor == 14:
        raise ValueError(f"{ctx.input('vector')} is too short.")
    vector = np.load(ctx.input("vector")) * ctx.params.factor
    np.save(ctx.out / "scaled.npy", vector)
    (ctx.out / "where.star").write_text(
        f"data_x\n\nloop_\n_rlnImageName\n000001@{ctx.out}/scaled.npy\n", encoding="utf-8"
    )
    ctx.figure("sum", float(vector.sum()))


ITERATE = register(
    Step("toy_iterate", 1, IterateParams, "Toy iteration", "toy_steps:iterate",
         outputs=[Output("vector", "vector", "vector.npy"), Output("table", "table", "table.csv")],
         summary="A noisy power iteration.")
)  # fmt: skip
SCALE = register(
    Step("toy_scale", 1, ScaleParams, "Toy scaling", "toy_steps:scale", inputs=[Input("vector", "vector")],
         outputs=[Output("scaled", "scaled", "scaled.npy"), Output("where", "star", "where.star")],
         quick=True)
)  # fmt: skip
