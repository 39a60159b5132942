"""Raw files that change under a running job: its key promises the content that they had when it began."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from spa_widgets.errors import UserError
from spa_widgets.session.files import stat_signature


class RawFilesAtStart:
    """What raw files looked like when a job began.

    Parameters
    ----------
    paths
        The files.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = paths
        self._before = [_signature(path) for path in paths]

    def require_unchanged(self, work: Path) -> None:
        """Make sure that a result may be kept under its key.

        What was kept on the way stays while files have only vanished; after a change it is of unknown content, and
        goes.

        Parameters
        ----------
        work
            Folder of what the job keeps on the way.

        Raises
        ------
        UserError
            If a file vanished or changed meanwhile: one sentence that names it.
        """
        now = [_signature(path) for path in self._paths]
        different = [index for index, found in enumerate(now) if found != self._before[index]]
        if not different:
            return
        more = f" (and {len(different) - 1} more)" if len(different) > 1 else ""
        changed = [index for index in different if now[index] is not None]
        path = self._paths[(changed or different)[0]]
        if not changed:
            raise UserError(
                f"{path}{more} vanished while the job ran; put it back and run the job again: the other files are done."
            )
        for kept in work.iterdir():
            if kept.is_dir():
                shutil.rmtree(kept, ignore_errors=True)
            elif kept.suffix == ".npz":
                kept.unlink(missing_ok=True)
        raise UserError(
            f"{path}{more} changed while the job ran, so the result would mix two contents; run the job again when "
            "the file is complete."
        )


def _signature(path: str) -> tuple[int, int] | None:
    """Size and time of change; not the inode, which some file systems of networks give anew."""
    try:
        return stat_signature(Path(path))[:2]
    except OSError:
        return None
