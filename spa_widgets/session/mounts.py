"""Which folders several machines may share."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

_MOUNTS = Path("/proc/self/mounts")
_NETWORK = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "glusterfs", "gpfs", "lustre", "nfs", "nfs4", "orangefs", "panfs", "rclone"}
    | {"s3fs", "smb3", "smbfs", "sshfs", "virtiofs", "wekafs"}
)


@lru_cache(maxsize=256)
def is_on_network(folder: Path) -> bool:
    """Tell whether a folder lies on a network file system; False where the system does not say (no Linux)."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return kind_of_mount(folder.resolve(), lines).removeprefix("fuse.") in _NETWORK


def kind_of_mount(folder: Path, lines: list[str]) -> str:
    """Return the kind of file system that holds a folder, from lines like those of ``/proc/mounts``."""
    best, kind = -1, ""
    for line in lines:
        parts = line.split()
        if len(parts) < 3:
            continue
        place = Path(parts[1].replace("\\040", " "))
        if folder.is_relative_to(place) and len(place.parts) >= best:  # of two on one place the later one is seen
            best, kind = len(place.parts), parts[2]
    return kind
