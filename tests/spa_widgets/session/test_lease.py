"""One result, one process: on one machine by the lock, on several by the heartbeat."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from spa_widgets.session import lease as leases
from spa_widgets.session.execute import execute
from spa_widgets.session.heartbeat import STALE_S
from spa_widgets.session.kernels import Kernels
from spa_widgets.session.lease import OWNER_FILE, acquire
from spa_widgets.session.spec import JobSpec, resolve
from spa_widgets.session.store import Store


def another_machine(folder: Path, silent_s: float) -> Path:
    """Leave the sign of a process elsewhere that was last heard of some time ago."""
    folder.mkdir(parents=True, exist_ok=True)
    owner = folder / OWNER_FILE
    owner.write_text(json.dumps({"host": "elsewhere", "pid": 1, "token": "other"}), encoding="utf-8")
    heard = time.time() - silent_s
    os.utime(owner, (heard, heard))
    return owner


def test_a_live_process_elsewhere_keeps_its_folder_and_a_dead_one_loses_it(tmp_path: Path) -> None:
    owner = another_machine(tmp_path, silent_s=1)
    assert acquire(tmp_path) is None
    another_machine(tmp_path, silent_s=STALE_S + 5)
    held = acquire(tmp_path)
    assert held is not None
    with held as taken:
        assert taken.is_ours() and acquire(tmp_path) is None
    assert not owner.exists()


def test_a_clock_that_was_put_back_makes_nobody_immortal(tmp_path: Path) -> None:
    """A dead machine's sign may bear a time that is still to come; a live one touches its own again at once."""
    owner = another_machine(tmp_path, silent_s=-3600)
    kernels = Kernels(tmp_path)
    kernels.file.write_text(
        '{"host": "elsewhere", "pid": 1, "born": 5.0, "token": "t", "since": 5.0}', encoding="utf-8"
    )
    os.utime(kernels.file, (owner.stat().st_mtime,) * 2)
    assert kernels.notice() == ""
    held = acquire(tmp_path)
    assert held is not None
    with held as taken:
        os.utime(owner, (time.time() + 3600,) * 2)  # our own clock is put back while we work
        assert taken.is_ours() and acquire(tmp_path) is None


@pytest.mark.parametrize("locks", [True, False], ids=["locks", "no locks"])
def test_of_many_that_come_at_once_one_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locks: bool) -> None:
    if not locks:
        monkeypatch.setattr(leases, "try_lock", _no_locks)
    another_machine(tmp_path, silent_s=STALE_S + 5)
    start, won = threading.Barrier(8), []

    def come() -> None:
        start.wait()
        held = acquire(tmp_path)
        if held is not None:
            won.append(held)

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def _no_locks(path: Path) -> int:
    raise OSError(leases._NO_LOCKS[0], "no locks available")


def test_the_lock_of_a_killed_process_on_this_machine_is_free_at_once(tmp_path: Path) -> None:
    code = (
        f"from pathlib import Path\nimport time\nfrom spa_widgets.session.lease import acquire\n"
        f"with acquire(Path({str(tmp_path)!r})):\n    print('taken', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None and process.stdout.readline() == "taken\n"
        assert acquire(tmp_path) is None
        process.kill()
        process.wait()
    assert (tmp_path / OWNER_FILE).exists()
    held = acquire(tmp_path)
    assert held is not None
    with held:
        pass


def test_one_that_was_taken_for_dead_steps_back_and_takes_the_others_result(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "BEAT_EVERY_S", 0.02)
    spec = JobSpec("toy_iterate", {"iterations": 60, "pause_s": 0.02})
    folder = store.path / "work" / resolve(spec, store).key
    events: list[dict[str, Any]] = []
    thread = threading.Thread(target=execute, args=(spec, store, "cpu", events.append))
    thread.start()
    while sum(event["kind"] == "progress" for event in events) < 3:
        time.sleep(0.01)
    owner = another_machine(folder, silent_s=0)  # what a process elsewhere does that found us silent
    while not any(event["kind"] == "waiting" for event in events):
        time.sleep(0.01)
    owner.unlink()
    thread.join()
    kinds = [event["kind"] for event in events]
    assert kinds.count("published") == 1 and kinds.index("waiting") < kinds.index("resumed") and store.verify() == {}
