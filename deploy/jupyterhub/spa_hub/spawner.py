"""Notebook servers as the participants' own users, with limits."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from typing import Any

from jupyterhub.spawner import LocalProcessSpawner
from traitlets import Int

_NICE = 5  # the hub and the proxy answer first


class LimitedSpawner(LocalProcessSpawner):
    """A process for each participant, without systemd: the kernel's limits hold for each process.

    With systemd, SystemdSpawner limits all processes of a participant together and is the better one.
    """

    processes_limit = Int(500, help="Processes and threads of a participant.").tag(config=True)

    def make_preexec_fn(self, name: str) -> Callable[[], None]:
        """Return what the new process does before it becomes the server: limits first, then the user."""
        become_user = super().make_preexec_fn(name)
        memory, processes = int(self.mem_limit or 0), self.processes_limit

        def preexec() -> None:
            os.nice(_NICE)
            os.umask(0o077)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
            if memory:  # counts what is written to, not what is only mapped
                resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
            become_user()

        return preexec

    def user_env(self, env: dict[str, str]) -> dict[str, Any]:
        """Return the environment, with temporary files in the participant's own home."""
        env = super().user_env(env)
        env["TMPDIR"] = os.path.join(env.get("HOME", "/tmp"), ".cache", "tmp")
        return env
