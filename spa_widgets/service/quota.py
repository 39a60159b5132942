"""Room on the service's disk: a part that stays free, and a share that each user's requests may fill."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

from spa_widgets.errors import UserError
from spa_widgets.service.ledger import Ledger


class Quota:
    """What users' requests have put on the disk.

    Parameters
    ----------
    ledger
        Remembers it.
    store
        The class store; its disk is looked at.
    user_bytes
        Results and copied files that one user may be the first to ask for; 0 for no limit.
    free_bytes
        What stays free.
    """

    def __init__(self, ledger: Ledger, store: Path, user_bytes: int, free_bytes: int) -> None:
        self._ledger = ledger
        self._store = store
        self.user_bytes = user_bytes
        self.free_bytes = free_bytes
        self._used: Counter[int] = Counter()
        gone = []
        for path, uid, size in ledger.made():
            if Path(path).exists():
                self._used[uid] += size
            else:
                gone.append(path)
        ledger.forget_made(gone)

    def has_room(self) -> bool:
        """Tell whether the part that stays free is free."""
        return shutil.disk_usage(self._store).free >= self.free_bytes

    def require(self, uid: int) -> None:
        """Make sure that something may be made for a user.

        Raises
        ------
        UserError
            If the disk is full, or the user's share of it.
        """
        if not self.has_room():
            raise UserError(
                f"The engine service's disk has less than {self.free_bytes / 1e9:g} GB left; tell who runs it, or "
                "choose device='cpu' to compute it yourself."
            )
        if self.user_bytes and uid != os.geteuid() and self._used[uid] >= self.user_bytes:
            raise UserError(
                f"Your requests fill {self._used[uid] / 1e9:.3g} GB, and a user has {self.user_bytes / 1e9:g} GB "
                "at the engine service; tell who runs it, or choose device='cpu' to compute it yourself."
            )

    def charge(self, path: Path, uid: int) -> None:
        """Note that a file, or a folder with its files, was made for a user."""
        size = path.stat().st_size if path.is_file() else tree_bytes(path)
        if self._ledger.note_made(str(path), uid, size):
            self._used[uid] += size


def tree_bytes(folder: Path) -> int:
    """Add up the sizes of the files in a folder."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except FileNotFoundError:
                continue
    return total
