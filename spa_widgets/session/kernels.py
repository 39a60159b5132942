"""Of several kernels that have a project open one writes; the others are told, look on, or take over.

``.spa/kernel.json`` names the kernel that writes. It is dead when its process is, or, on another machine, when it has
not touched the file for a while; then the next one that writes takes its place without a word. Several sessions of one
process are one kernel.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from spa_widgets.errors import UserError
from spa_widgets.session.heartbeat import BEAT_EVERY_S, was_touched_lately
from spa_widgets.session.whole import write_json

KERNEL_FILE = "kernel.json"
LANGUAGE_VARIABLE = "SPA_LANGUAGE"
_TELLS = {
    "en": "{who} has this project open and writes into it. You can look on here: jobs, results and decisions as they "
    "come; session.take_over() makes this the kernel that writes.",
    "ja": "このプロジェクトは{who}が開いていて、書き込み中です。ここではジョブ・結果・判断をそのまま閲覧できます。"
    "session.take_over() を呼ぶと、このカーネルが書き込む側になります。",
}
_WHO = {"en": "Another kernel (process {pid} on {host}, since {since})",
        "ja": "別のカーネル（{host} のプロセス {pid}、{since} から）"}  # fmt: skip
_REFUSES = {
    "en": "{who} writes into this project and here you look on; call session.take_over() to write here.",
    "ja": "{who}がこのプロジェクトに書き込み中で、ここでは閲覧だけができます。"
    "書き込むには session.take_over() を呼んでください。",
}


@dataclass(frozen=True)
class Kernel:
    """A process that writes into a project.

    Attributes
    ----------
    host, pid, born
        Where it runs, its number and when it was started (seconds since 1970): a number may come again.
    token
        Names this time of writing, and no other one.
    since
        When it began to write, in seconds since 1970.
    """

    host: str
    pid: int
    born: float
    token: str
    since: float

    def describe(self, language: str = "en") -> str:
        """Say which one it is."""
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.since))
        return _WHO[language].format(pid=self.pid, host=self.host, since=since)


class Kernels:
    """Who writes into a project.

    Parameters
    ----------
    folder
        The project's folder ``.spa``.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / KERNEL_FILE

    def other(self) -> Kernel | None:
        """Return the live kernel that writes instead of this one; without one, this one writes from now on."""
        writer = self._writer()
        if writer is not None and _is_this_process(writer):
            return None
        if writer is not None and self._is_alive(writer):
            return writer
        with suppress(OSError):  # a folder that this user may only read has no writer
            self.take_over()
        return None

    def take_over(self) -> None:
        """Let this kernel write; the one that did looks on from now on."""
        own = Kernel(socket.gethostname(), os.getpid(), _born(os.getpid()), uuid.uuid4().hex, time.time())
        write_json(self.file, asdict(own), synced=False)
        threading.Thread(target=self._beat, args=(own,), name="kernel", daemon=True).start()

    def require(self) -> None:
        """Make sure that this kernel writes.

        Raises
        ------
        UserError
            If another one does.
        """
        if (other := self.other()) is not None:
            raise UserError(_REFUSES[language()].format(who=other.describe(language())))

    def notice(self) -> str:
        """Return what a person is told who looks on; an empty string for the kernel that writes."""
        other = self.other()
        return "" if other is None else _TELLS[language()].format(who=other.describe(language()))

    def _writer(self) -> Kernel | None:
        try:
            return Kernel(**json.loads(self.file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def _is_alive(self, kernel: Kernel) -> bool:
        if kernel.host == socket.gethostname():
            return _born(kernel.pid) == kernel.born
        return was_touched_lately(self.file)

    def _beat(self, own: Kernel) -> None:
        """Touch the file while this kernel writes, for other machines, which do not see its process."""
        while self._writer() == own and own.pid == os.getpid():
            with suppress(OSError):
                os.utime(self.file)
            time.sleep(BEAT_EVERY_S)


def language() -> str:
    """Return the language in which a person is told: ``en``, or ``ja`` where ``SPA_LANGUAGE`` says so."""
    return "ja" if os.environ.get(LANGUAGE_VARIABLE, "").startswith("ja") else "en"


def _is_this_process(kernel: Kernel) -> bool:
    return (kernel.host, kernel.pid) == (socket.gethostname(), os.getpid()) and kernel.born == _born(kernel.pid)


def _born(pid: int) -> float:
    """Return when a process was started, or -1 when there is none."""
    try:
        process = psutil.Process(pid)
        return -1.0 if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return -1.0


class LookingOn:
    """What a session knows of other kernels that have its project open."""

    kernels: Kernels

    def take_over(self) -> None:
        """Make this the kernel that writes into the project; another one that did looks on from now on."""
        self.kernels.take_over()

    @property
    def is_looking_on(self) -> bool:
        """Whether another live kernel writes into the project, so that this one looks on (see `take_over`)."""
        return self.kernels.other() is not None

    @property
    def notice(self) -> str:
        """What a person is told at opening when another kernel writes into the project; else an empty string."""
        return self.kernels.notice()
