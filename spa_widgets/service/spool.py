"""The spool as the service sees it: whose files lie there, and how many are taken from whom."""

from __future__ import annotations

import logging
import os
import shutil
import stat
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.session.tickets import read_request

_A_LOOK = 50  # requests of one user at a time, so that nobody's flood delays the others
_MOST_FILES = 1000  # of one user; more are removed, and a session that misses one asks again
_WRITING_S = 60.0
_SURE_S = 1.0  # a folder changed less than this ago may change again within one tick of the file system's clock
_HOUR_S = 3600.0
_log = logging.getLogger("spa.service")

Request = dict[str, Any]


class Spool:
    """A folder into which anybody may put requests.

    Parameters
    ----------
    folder
        The folder.
    max_bytes
        Larger requests are refused.
    an_hour
        Requests of one user within an hour; further ones stay where they are until it is over.
    """

    def __init__(self, folder: Path, max_bytes: int, an_hour: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.an_hour = an_hour
        self._taken: Counter[int] = Counter()
        self._hour = 0
        self._changed = 0
        self._looked = 0.0
        self._left = False
        self._stuck: set[str] = set()  # what cannot be removed is looked at once

    def take(self, accepts: Callable[[int], bool], hand_in: Callable[[int, Request], None]) -> bool:
        """Hand in some requests of each user, oldest first, and remove them; tell whether there were any.

        Parameters
        ----------
        accepts
            Tells whether a user may hand in one more now; else it stays.
        hand_in
            Takes the number of the account that owns a request, and the request. `UserError` refuses it.
        """
        handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if not self._is_worth_a_look(handle):
                return False
            found, taken = self._by_owner(handle), self._taken.copy()
            names = self._choose(found)
            try:
                for name in names:
                    self._hand_in(handle, name, accepts, hand_in)
            except Exception:  # a full disk: what is still here is taken at the next look, and counted then
                self._changed, self._taken = 0, taken
                raise
            return bool(names)
        finally:
            os.close(handle)

    def _is_worth_a_look(self, handle: int) -> bool:
        changed, now = os.fstat(handle).st_mtime_ns, time.time()
        if changed == self._changed and not (self._left and now - self._looked > _SURE_S):
            return False
        self._changed = changed if now - changed / 1e9 > _SURE_S else 0
        self._looked = now
        return True

    def _by_owner(self, handle: int) -> dict[int, list[tuple[float, str]]]:
        """List the files of each user, oldest first; those beyond the limit are removed unread."""
        found: dict[int, list[tuple[float, str]]] = defaultdict(list)
        with os.scandir(handle) as entries:
            for entry in entries:
                try:
                    facts = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                found[facts.st_uid].append((facts.st_ctime, entry.name))
        self._stuck &= {name for files in found.values() for _, name in files}
        for uid, files in found.items():
            files.sort()
            if surplus := files[_MOST_FILES:]:
                _log.warning("user %d left %d files in the spool; %d are removed", uid, len(files), len(surplus))
                for _, name in surplus:
                    self._remove(handle, name)
                del files[_MOST_FILES:]
        return found

    def _choose(self, found: dict[int, list[tuple[float, str]]]) -> list[str]:
        hour, now = int(time.monotonic() // _HOUR_S), time.time()
        if hour != self._hour:
            self._hour, self._taken = hour, Counter()
        chosen: list[tuple[float, str]] = []
        self._left = False
        for uid, files in found.items():
            ready = [
                (since, name)
                for since, name in files
                if name not in self._stuck and (name.endswith(".json") or now - since > _WRITING_S)
            ]
            taken = ready[: max(0, min(_A_LOOK, self.an_hour - self._taken[uid]))]
            self._taken[uid] += len(taken)
            self._left |= len(files) > len(taken)
            chosen += taken
        return [name for _, name in sorted(chosen)]

    def _hand_in(
        self, handle: int, name: str, accepts: Callable[[int], bool], hand_in: Callable[[int, Request], None]
    ) -> None:
        try:
            uid, request = read_request(handle, name, self.max_bytes)
            if not accepts(uid):
                self._taken[uid] -= 1
                self._left = True
                return
            hand_in(uid, request)
        except UserError as error:
            _log.warning("refused: %s", error)
        self._remove(handle, name)  # after it is written down: a request that is taken twice does no harm

    def _remove(self, handle: int, name: str) -> None:
        """Take a name out of the spool, whatever it is, following nothing."""
        try:
            if stat.S_ISDIR(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode):
                shutil.rmtree(self.folder / name, ignore_errors=True)
                if (self.folder / name).exists():
                    self._stuck.add(name)
            else:
                os.unlink(name, dir_fd=handle)
        except FileNotFoundError:
            pass
        except OSError:
            self._stuck.add(name)
