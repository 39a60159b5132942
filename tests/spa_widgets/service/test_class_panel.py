"""What people see of the queue of a class in the job panel, with a real service."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import Any

from session_support import wait_until

from spa_widgets.viewers.jobs.widget import JobPanel

LONG_S = 240.0


def test_the_panel_shows_the_line_and_who_computed_what(participant: Callable[[str], Any]) -> None:
    one, two = participant("panel-one"), participant("panel-two")
    running = one.toy_iterate(iterations=9000, pause_s=0.1, noise=0.7)
    wait_until(lambda: running.status == "running", LONG_S)
    waiting = two.toy_iterate(iterations=5, noise=0.7)
    wait_until(lambda: waiting.position == 1, LONG_S)
    panel = JobPanel(two)
    row = panel.jobs[0]
    assert (row["status"], row["position"]) == ("queued", 1) and row["expected_wait_s"] >= 0
    wait_until(lambda: bool(panel.refresh() and panel.queue["waiting"]), LONG_S)
    assert panel.queue["is_alive"] and panel.queue["running"][0]["title"] == "Toy iteration"
    assert panel.queue["waiting"][0]["users"] == [getpass.getuser()] and panel.queue["waiting"][0]["is_mine"]
    running.cancel()
    waiting.wait(LONG_S)
    panel.refresh()
    assert (panel.jobs[0]["origin"], panel.jobs[0]["saved_s"], panel.jobs[0]["position"]) == ("service", None, None)
    panel.close()
    late = participant("panel-three")
    late.toy_iterate(iterations=5, noise=0.7).wait(LONG_S)
    panel = JobPanel(late)
    assert panel.jobs[0]["origin"] == "class" and panel.jobs[0]["saved_s"] >= 0
    panel.close()
