"""Whether a file was touched lately, by the clock that stamps it, on any machine and whatever clocks do."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

BEAT_EVERY_S = 3.0
STALE_S = 30.0


def was_touched_lately(file: Path) -> bool:
    """Tell whether somebody who touches a file every few seconds is alive.

    A time in the future was stamped before the clock was put back: one who lives touches the file again at once, so
    it says nothing for long.

    Parameters
    ----------
    file
        The file; none there is nobody.
    """
    try:
        touched = file.stat().st_mtime
    except OSError:
        return False
    return abs(_file_system_time(file.parent) - touched) < STALE_S


def _file_system_time(folder: Path) -> float:
    """Return the time by the clock that stamps the files here, which may be another machine's."""
    probe = folder / f".clock.{uuid.uuid4().hex}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:
        return time.time()  # where nothing can be written the own clock must do
    finally:
        probe.unlink(missing_ok=True)
