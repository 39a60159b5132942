"""Disks that are small enough to be filled by a test."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, bytes_in_all: int) -> Iterator[Path]:
    """Mount a disk of so many bytes on a folder, which is made."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={bytes_in_all}", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs root and the right to mount")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def fill(disk: Path, but: int = 0) -> Path:
    """Fill a disk up to some bytes, with a file that is given back."""
    free = shutil.disk_usage(disk).free - but
    (disk / "filler").write_bytes(bytes(max(free, 0)))
    return disk / "filler"
