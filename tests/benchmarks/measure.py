"""What a function or a command costs: wall time, CPU time and peak memory.

CPU time (user and system, all threads and children) is what ratios are made of: on a machine that others use too, wall
time says more about them than about the program.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

Result = TypeVar("Result")

_INTERVAL_S, _SHORT_INTERVAL_S = 0.1, 0.02
_WALL_PER_CPU = 15.0  # a command that waits for a loaded machine is given this much wall time for its CPU time


@dataclass(frozen=True)
class Cost:
    """What something cost.

    Attributes
    ----------
    wall_s, cpu_s : float
    peak_bytes : int
        Largest proportional share of memory (PSS) seen, of the command and its children together.
    finished : bool
        False when it was stopped at its time limit: the times are lower bounds then.
    status : int
        Exit status of a command.
    output : str
        What a command wrote, from its log.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int
    finished: bool = True
    status: int = 0
    output: str = field(default="", repr=False)

    def __add__(self, other: Cost) -> Cost:
        """Cost of two things done one after the other."""
        return Cost(
            self.wall_s + other.wall_s,
            self.cpu_s + other.cpu_s,
            max(self.peak_bytes, other.peak_bytes),
            self.finished and other.finished,
            self.status or other.status,
        )

    def each(self, count: int) -> Cost:
        """Cost of one of ``count`` equal things."""
        return Cost(self.wall_s / count, self.cpu_s / count, self.peak_bytes, self.finished, self.status)


class CommandFailed(RuntimeError):
    """A command ended with an error; the message is the end of what it wrote."""


def measure(function: Callable[[], Result], repeat: int = 1) -> tuple[Result, Cost]:
    """Call a function; the cheapest of ``repeat`` calls counts.

    Returns
    -------
    (result, cost)
        What the last call returned, and the cost of one call.
    """
    sampler = _Sampler(os.getpid())
    cheapest = (float("inf"), float("inf"))
    with sampler:
        for _ in range(repeat):
            wall, cpu = time.perf_counter(), time.process_time()
            result = function()
            spent = (time.process_time() - cpu, time.perf_counter() - wall)
            cheapest = min(cheapest, spent)
    return result, Cost(cheapest[1], cheapest[0], sampler.peak_bytes)


def run_command(
    command: Sequence[str | Path],
    folder: Path,
    limit_cpu_s: float = 3600.0,
    environment: Mapping[str, str] | None = None,
    idle_rank: str | None = None,
    may_fail: bool = False,
) -> Cost:
    """Run a command to its end or to its time limit.

    Parameters
    ----------
    command : sequence
    folder : Path
        Working folder; the log is written there.
    limit_cpu_s : float
        The command and its children are stopped when they have used this much.
    environment : mapping, optional
        Added to this process's environment.
    idle_rank : str, optional
        MPI rank whose CPU time is left out: a leader that only waits for the others, at full speed.
    may_fail : bool
        Return the cost of a command that failed as well, for callers that look at what it left.

    Raises
    ------
    CommandFailed
        When it ends with an error before the limit.
    """
    log = folder / f"{Path(command[0]).name}.log"
    begun = time.perf_counter()
    with log.open("w") as stream:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        with _Sampler(process.pid, idle_rank) as sampler:
            try:
                used, finished = _wait(process, sampler, limit_cpu_s)
            except BaseException:  # an interrupt must not leave a command behind
                _stop(process)
                raise
    output = log.read_text(encoding="utf-8", errors="replace")
    cost = Cost(time.perf_counter() - begun, used, sampler.peak_bytes, finished, process.returncode, output)
    if finished and process.returncode and not may_fail:
        raise CommandFailed(f"{Path(command[0]).name} ended with {process.returncode}: {_last_lines(output)}")
    return cost


def _wait(process: subprocess.Popen[Any], sampler: _Sampler, limit_cpu_s: float) -> tuple[float, bool]:
    """Wait for a command; return its CPU time and whether it ended by itself."""
    end = time.perf_counter() + _WALL_PER_CPU * limit_cpu_s
    while True:
        # wait4 tells what the children that it waited for have used as well
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            whole = usage.ru_utime + usage.ru_stime
            # short commands end between two samples; a command with an idle rank is known by its samples alone
            return (sampler.cpu_s if sampler.leaves_out else max(whole, sampler.cpu_s)), True
        if sampler.cpu_s > limit_cpu_s or time.perf_counter() > end:
            used = sampler.cpu_s
            _stop(process)
            return used, False
        time.sleep(_SHORT_INTERVAL_S)


def _stop(process: subprocess.Popen[Any]) -> None:
    """End a command and the processes that it started."""
    parent = psutil.Process(process.pid)
    tree = [*parent.children(recursive=True), parent]
    os.killpg(process.pid, signal.SIGTERM)
    _, alive = psutil.wait_procs(tree, timeout=5)
    for survivor in alive:
        survivor.kill()
    process.wait()


def _last_lines(text: str, count: int = 4) -> str:
    return " | ".join(line.strip() for line in text.strip().splitlines()[-count:])


class _Sampler:
    """Follows the memory and the CPU time of a process and its children in a thread."""

    def __init__(self, pid: int, idle_rank: str | None = None) -> None:
        self.peak_bytes = 0
        self._pid, self._idle_rank = pid, idle_rank
        self._cpu_s: dict[int, float] = {}
        self._ranks: dict[int, str | None] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def cpu_s(self) -> float:
        """CPU time that the processes have used as far as was seen."""
        return sum(list(self._cpu_s.values()))

    @property
    def leaves_out(self) -> bool:
        """Whether the time of some process is not counted."""
        return self._idle_rank is not None

    def __enter__(self) -> _Sampler:
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        begun = time.perf_counter()
        while not self._stop.wait(_SHORT_INTERVAL_S if time.perf_counter() - begun < 2.0 else _INTERVAL_S):
            self._sample()

    def _sample(self) -> None:
        try:
            root = psutil.Process(self._pid)
            tree = [root, *root.children(recursive=True)]
        except psutil.Error:
            return
        total = 0
        for process in tree:
            try:
                total += _pss_bytes(process)
                if self._rank(process) != self._idle_rank or self._idle_rank is None:
                    times = process.cpu_times()
                    self._cpu_s[process.pid] = times.user + times.system
            except psutil.Error:
                continue
        self.peak_bytes = max(self.peak_bytes, total)

    def _rank(self, process: psutil.Process) -> str | None:
        if self._idle_rank is None:
            return None
        if process.pid not in self._ranks:
            self._ranks[process.pid] = process.environ().get("OMPI_COMM_WORLD_RANK")
        return self._ranks[process.pid]


def _pss_bytes(process: psutil.Process) -> int:
    info = process.memory_full_info()
    return int(getattr(info, "pss", info.rss))
