"""Public data sets over https or ftp: resumable downloads, recorded checksums, safe unpacking."""

from __future__ import annotations

import json
import urllib.parse
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.io.archives import Progress, unpack
from spa_widgets.io.download import CHUNK_BYTES, download, write_json

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class DataSet:
    """A public archive and where it is kept.

    Attributes
    ----------
    name
        What `spa fetch` calls it.
    urls
        The same archive at one or more places, tried in order.
    sha256
        Known SHA-256 of the archive; when None the first download's is recorded and later ones are held against it.
    max_unpacked_bytes
        Unpacking stops beyond this size.
    """

    name: str
    urls: tuple[str, ...]
    sha256: str | None = None
    max_unpacked_bytes: int = 8 << 30

    @property
    def file_name(self) -> str:
        """Name of the archive."""
        return PurePosixPath(urllib.parse.urlparse(self.urls[0]).path).name


_EMPIAR_10291 = "empiar.pdbj.org/pub/empiar/workshop/10291/00001/EMPIAR-10291_50mic.tar"
DATA_SETS = {
    "empiar-10291-50mic": DataSet(
        name="empiar-10291-50mic",
        urls=(f"https://{_EMPIAR_10291}", f"ftp://{_EMPIAR_10291}"),
    )
}


def fetch(data_set: DataSet, folder: Path, progress: Progress | None = None) -> list[Path]:
    """Download a data set, verify it and unpack it.

    Running it again continues where it stopped, and only verifies when everything is there.

    Parameters
    ----------
    data_set
        What to fetch.
    folder
        Where the archive, its files and `manifest.json` (sizes and SHA-256) go.
    progress
        Called with bytes done, bytes in all and what is going on.

    Returns
    -------
    list of Path
        The unpacked files.

    Raises
    ------
    UserError
        If the data cannot be reached, differ from their recorded checksum, or do not fit on the disk.
    """
    report = progress or (lambda done, total, message: None)
    folder.mkdir(parents=True, exist_ok=True)
    manifest = read_manifest(folder)
    archive = folder / data_set.file_name
    expected = data_set.sha256 or manifest.get("archive", {}).get("sha256")
    if not archive.is_file():
        if _unpacked_is_whole(folder, manifest):
            return [folder / name for name in manifest["files"]]
        _download_any(data_set.urls, archive, report)
    found = _sha256(archive, report)
    if expected is not None and found != expected:
        archive.rename(archive.with_suffix(archive.suffix + ".damaged"))
        raise UserError(
            f"{archive.name} has SHA-256 {found[:16]}…, expected {expected[:16]}…; "
            f"it was set aside as {archive.name}.damaged: run the command again to download it anew."
        )
    files = unpack(archive, folder, data_set.max_unpacked_bytes, report)
    manifest = {
        "data_set": data_set.name,
        "archive": {"name": archive.name, "bytes": archive.stat().st_size, "sha256": found},
        "files": {path.relative_to(folder).as_posix(): path.stat().st_size for path in files},
    }
    write_json(folder / MANIFEST, manifest)
    return files


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a fetched folder; empty when there is none or it is damaged."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def _unpacked_is_whole(folder: Path, manifest: dict[str, Any]) -> bool:
    files = manifest.get("files", {})
    return bool(files) and all(
        (folder / name).is_file() and (folder / name).stat().st_size == size for name, size in files.items()
    )


def _download_any(urls: tuple[str, ...], target: Path, progress: Progress) -> None:
    problems = []
    for url in urls:
        try:
            download(url, target, progress)
            return
        except OSError as error:
            problems.append(f"{urllib.parse.urlparse(url).scheme}: {_reason(error)}")
    host = urllib.parse.urlparse(urls[0]).netloc
    raise UserError(
        f"Cannot download {target.name} from {host} ({'; '.join(problems)}); check the connection and run the "
        "command again: it continues where it stopped."
    )


def _reason(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error.strerror or error)


def _sha256(path: Path, progress: Progress) -> str:
    total, done, digest = path.stat().st_size, 0, sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(4 * CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            progress(done, total, f"verifying {path.name}")
    return digest.hexdigest()
