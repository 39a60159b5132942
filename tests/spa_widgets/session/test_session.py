from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from session_support import wait_until

from spa_widgets.errors import UserError
from spa_widgets.session.context import Cancelled
from spa_widgets.session.job import JobFailed
from spa_widgets.session.session import Session

Opener = Callable[..., Session]
REPOSITORY = Path(__file__).resolve().parents[3]


def test_a_session_loads_no_widget_library() -> None:
    code = (
        "import sys; from spa_widgets import Session; from spa_widgets.session.session import attach_steps;"
        "attach_steps();"
        "bad = {'ipywidgets', 'traitlets', 'anywidget', 'plotly', 'napari', 'distributed', 'pandas', 'numba'};"
        "print(*sorted(bad & set(sys.modules)))"
    )
    plain = {name: value for name, value in os.environ.items() if name != "SPA_EXTRA_STEPS"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=plain, capture_output=True, encoding="utf-8"
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_methods_have_real_signatures_and_help(open_session: Opener) -> None:
    session = open_session()
    signature = inspect.signature(session.toy_iterate)
    assert list(signature.parameters) == ["size", "iterations", "pause_s", "noise", "seed", "device"]
    assert signature.parameters["iterations"].default == 20 and signature.parameters["iterations"].annotation in (
        int,
        "int",
    )
    assert "Pause (s)" in session.toy_iterate.__doc__
    assert "toy_scale" in dir(session) and "toy_scale" in dir(session.workspace("other"))


@pytest.mark.parametrize(
    ("args", "values", "sentence"),
    [
        ((), {}, "toy_scale needs vector (vector); give a job, one of its outputs or a path."),
        (("a.npy",), {"facter": 2.0}, "toy_scale has no parameter facter; did you mean factor?"),
        (("a.npy",), {"mask": 1}, "toy_scale has no parameter mask; it takes vector, factor, device."),
        (
            ("a.npy", 2.0),
            {},
            "toy_scale takes only its inputs (vector) by position, 2 values were given; name its parameters.",
        ),
        (("a.npy",), {"vector": "b.npy"}, "toy_scale was given vector by position and by name; give it once."),
    ],
)
def test_a_wrong_call_gets_one_sentence(open_session: Opener, args: tuple, values: dict, sentence: str) -> None:
    with pytest.raises(UserError) as wrong:
        open_session().toy_scale(*args, **values)
    assert str(wrong.value) == sentence


def test_a_chain_of_jobs_runs_and_is_there_at_once_the_next_time(open_session: Opener) -> None:
    session = open_session("chain")
    begun = time.monotonic()
    first = session.toy_iterate(iterations=5)
    second = session.toy_scale(first, factor=3.0)
    assert time.monotonic() - begun < 1.0, "asking must not wait for the work"
    second.wait(60)
    assert np.allclose(np.load(second.path("scaled")), 3 * np.load(first.path("vector")))
    assert second.figures["sum"] == pytest.approx(3 * np.load(first.path("vector")).sum())
    assert (second.status, second.progress, second.eta_s, second.error) == ("finished", 1.0, 0.0, "")
    assert first.table().shape == (40, 1) and first.table("table").equals(first.table("table.csv"))
    assert [job.name for job in session.jobs] == ["J1", "J2"] and session["J2"] == second == session[2]
    # the same again: the same job; in another workspace: a new job that is finished when it is returned
    assert session.toy_iterate(iterations=5) == first
    begun = time.monotonic()
    other = session.workspace("other")
    elsewhere = session.toy_iterate(iterations=5)
    session.workspace("W1")
    assert other.toy_iterate(iterations=5) == elsewhere == other.jobs[0] and session.workspaces == ["W1", "other"]
    assert elsewhere.status == "finished" and time.monotonic() - begun < 0.5
    assert elsewhere != first and elsewhere.key == first.key and elsewhere.workspace == "other"
    facts = json.loads((session.path / "jobs" / "J2-toy_scale" / "job.json").read_text(encoding="utf-8"))
    assert facts["state"] == "finished" and facts["key"] == second.key
    assert (session.path / "jobs" / "J2-toy_scale" / "scaled.npy").stat().st_ino == (
        session.store.get(second.key).files["scaled.npy"].stat().st_ino
    )


def test_warm_latency(open_session: Opener) -> None:
    session = open_session()
    session.toy_iterate(iterations=91).wait(60)
    delays = []
    for iterations in (92, 93, 94):
        job = session.toy_iterate(iterations=iterations).wait(60)
        row = session.project.queue.get(job.number)
        assert row is not None and row.started is not None
        delays.append(row.started - row.created)
    print(f"submit to start: {min(delays) * 1e3:.0f} ms")
    assert min(delays) < 0.3


def test_outputs_code_clone_and_key(open_session: Opener) -> None:
    session = open_session()
    first = session.toy_iterate(iterations=4, noise=0.5)
    assert first.code() == "session.toy_iterate(iterations=4, noise=0.5)"
    second = session.toy_scale(first.vector)
    assert eval(second.code(), {"session": session}) == second
    other = first.clone(iterations=6)
    assert other.params == {**first.params, "iterations": 6} and first.clone(iterations=4) == first
    third = second.clone(vector=other, factor=1.0)
    assert np.array_equal(np.load(third.path("scaled")), np.load(other.path("vector")))
    assert "param    noise = 0.5" in first.explain_key() and first.key in first.explain_key()
    assert "vector.npy of job " + first.key[:16] in second.explain_key()
    assert [event["kind"] for event in first.events()][-1] == "finished"
    assert first.pictures["vector"][0] == first.folder / "live" / "vector.webp" and first.pictures["vector"][0].exists()
    assert first.events(kind="figure")[0]["name"] == "norm"
    with pytest.raises(AttributeError, match="has no output"):
        print(first.nothing)
    with pytest.raises(UserError, match="takes vector"):
        session.toy_scale(second)


def test_failed_and_cancelled_jobs_say_so(open_session: Opener) -> None:
    session = open_session()
    done = session.toy_iterate(iterations=81).wait(60)
    slow = session.toy_iterate(iterations=2000, pause_s=0.05)
    waiting = session.toy_scale(slow)
    quick = session.toy_scale(done, factor=5.0)
    wait_until(lambda: slow.eta_s is not None)
    assert slow.status == "running" and slow.progress > 0 and slow.eta_s > 10
    assert quick.wait(10).status == "finished" and slow.status == "running", "quick jobs run beside a long one"
    path, caption = slow.pictures["vector"]
    assert path.read_bytes()[:4] == b"RIFF" and caption.startswith("after ")
    with pytest.raises(TimeoutError):
        slow.wait(0.05)
    slow.cancel()
    with pytest.raises(Cancelled):
        slow.wait(10)
    with pytest.raises(JobFailed, match="whose result is needed, was cancelled"):
        waiting.wait(10)
    bad = session.toy_scale(done, factor=13)
    with pytest.raises(JobFailed, match="unlucky"):
        bad.wait(10)
    assert bad.error.startswith("13 is an unlucky factor")
    assert "unlucky" in bad._repr_html_() and "✗" in str(session.tree())


def test_wrong_values_are_refused_at_once(open_session: Opener) -> None:
    session = open_session()
    with pytest.raises(UserError, match="iterations is 0"):
        session.toy_iterate(iterations=0)
    with pytest.raises(UserError, match="no file matches"):
        session.toy_scale("nowhere/*.npy")
    with pytest.raises(UserError, match="device is 'tpu'"):
        session.toy_iterate(device="tpu")
    with pytest.raises(UserError, match="There is no job"):
        session["J999"]


def test_a_damaged_result_is_computed_again(open_session: Opener) -> None:
    session = open_session()
    job = session.toy_iterate(iterations=71).wait(60)
    content = job.path("vector").read_bytes()
    stored = session.store.get(job.key).files["vector.npy"]
    stored.chmod(0o644)
    stored.write_bytes(b"short")
    again = session.toy_iterate(iterations=71).wait(60)
    assert again == job and again.path("vector").read_bytes() == content


def test_a_second_session_sees_the_same_jobs_and_decisions(open_session: Opener) -> None:
    one = open_session(title="Innexin <b>6</b>")
    job = one.toy_iterate(iterations=61)
    one.decide("threshold", 0.33)
    two = open_session()
    assert two.title == "Innexin <b>6</b>" and "<b>6</b>" not in two._repr_html_()
    assert two[job.name].wait(60).key == job.key
    assert two.decisions["threshold"] == 0.33
    two.decide("threshold", 0.4)
    assert one.decisions["threshold"] == 0.4 and one.decisions.undo("threshold") == 0.33
    assert two.decisions["threshold"] == 0.33


def test_data_in_html_and_svg_is_escaped(open_session: Opener) -> None:
    session = open_session()
    job = session.toy_iterate(iterations=51).wait(60)
    session.project.queue.update(job.number, state="failed", error="<script>alert(1)</script>")
    for text in (job._repr_html_(), session._repr_html_(), session.tree()._repr_svg_()):
        assert "<script>" not in text and "&lt;script&gt;" in text
