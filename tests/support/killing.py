"""Killing a process of one's own like kill -9 does: at its n-th operation on files, or after some CPU time."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

# what changes files or makes changes last; a name that the system lacks is left out
OPERATIONS = ("open", "write", "fsync", "rename", "replace", "link", "unlink", "mkdir", "rmdir", "chmod", "utime")


class OperationCounter:
    """Count the operations on files of this process, and end it at one of them.

    Parameters
    ----------
    at
        Kill before the operation of this number, counted from 1; 0 for never.
    """

    def __init__(self, at: int = 0) -> None:
        self.at = at
        self.count = 0

    def install(self) -> None:
        """Put the counter before the functions of `os`, for the rest of this process."""
        for name in OPERATIONS:
            setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        def count_and_do(*arguments: Any, **options: Any) -> Any:
            self.count += 1
            if self.count == self.at:
                os.kill(os.getpid(), signal.SIGKILL)
            return operation(*arguments, **options)

        return count_and_do


def forked(
    work: Callable[[], object], at_operation: int = 0, after_cpu_s: float = 0.0, note: Path | None = None
) -> bool:
    """Do something in a forked process; tell whether it came to its end and was not killed.

    Parameters
    ----------
    work
        What to do; an exception in it is a failure here.
    at_operation
        Kill before its file operation of this number.
    after_cpu_s
        Kill when it has used so much CPU time.
    note
        Where it writes how many operations and seconds of CPU it took.

    Raises
    ------
    RuntimeError
        If the work failed by itself.
    """
    child = os.fork()
    if child == 0:
        _work_and_leave(work, at_operation, after_cpu_s, note)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGKILL, signal.SIGPROF):
        return False
    if os.waitstatus_to_exitcode(status) != 0:
        raise RuntimeError(f"The forked process failed (status {os.waitstatus_to_exitcode(status)}).")
    return True


def _work_and_leave(work: Callable[[], object], at_operation: int, after_cpu_s: float, note: Path | None) -> None:
    status = 1
    try:
        counter = OperationCounter(at_operation)
        counter.install()
        if after_cpu_s:
            # its default action ends the process at once, without any handler of Python: as kill -9 does
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_PROF, after_cpu_s)
        begun = os.times()
        work()
        ended = os.times()
        if note is not None:
            note.write_text(
                f"{counter.count} {ended.user - begun.user + ended.system - begun.system}", encoding="utf-8"
            )
        status = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)
