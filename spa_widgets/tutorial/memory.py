"""Peak memory of a whole tree of processes, shared pages counted once (PSS)."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType

import psutil


class PeakMemory:
    """Sample the memory of a process, its children and the processes at work in a project.

    Parameters
    ----------
    project : Path
        Folder whose runner (a process that outlives its parent) and worker belong to the tree.
    interval_s : float
        Time between samples.
    root : int, optional
        The process; this one by default.
    """

    def __init__(self, project: Path, interval_s: float = 1.0, root: int | None = None) -> None:
        self.peak_bytes = 0
        self.peak_by_process: dict[str, int] = {}
        self._project = str(project)
        self._interval_s = interval_s
        self._root = root
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="peak memory", daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(self._interval_s):
            sizes = {f"{p.pid} {_label(p)}": _pss_bytes(p) for p in self._processes()}
            total = sum(sizes.values())
            if total > self.peak_bytes:
                self.peak_bytes, self.peak_by_process = total, sizes

    def _processes(self) -> list[psutil.Process]:
        root = psutil.Process(self._root)
        tree = {p.pid: p for p in [root, *root.children(recursive=True)]}
        for process in psutil.process_iter(["cmdline"]):
            if self._project in (process.info["cmdline"] or []):
                tree[process.pid] = process
                try:
                    tree.update({child.pid: child for child in process.children(recursive=True)})
                except psutil.NoSuchProcess:
                    continue
        return list(tree.values())


def _label(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()[:4])[:80]
    except psutil.Error:
        return "gone"


def _pss_bytes(process: psutil.Process) -> int:
    """Return the proportional share of memory; the resident size where the system does not tell (or it is not ours)."""
    try:
        info = process.memory_full_info()
        return int(getattr(info, "pss", info.rss))
    except psutil.Error:
        return 0
