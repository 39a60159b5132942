"""Public data sets over https or ftp: resumable downloads, recorded checksums, safe unpacking."""

from __future__ import annotations

import ftplib
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.io.archives import Progress, require_space, unpack

_CHUNK_BYTES = 1 << 20
_TIMEOUT_S = 30.0
_TRIES = 5
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
    _write_json(folder / MANIFEST, manifest)
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


def download(url: str, target: Path, progress: Progress, tries: int = _TRIES, pause_s: float = 1.0) -> None:
    """Download one file, continuing a part that is there, and trying again after a broken connection.

    Parameters
    ----------
    url
        An http, https or ftp address.
    target
        Final path; the part is kept beside it as ``.part`` until it is whole.
    progress
        Called with bytes done, bytes in all and a message.
    tries
        How many times in a row a transfer may break without any new byte.
    pause_s
        Pause before the second try; doubled each time.

    Raises
    ------
    OSError
        If the server cannot be reached or keeps breaking off.
    """
    part = target.with_name(target.name + ".part")
    transfer = _ftp if urllib.parse.urlparse(url).scheme == "ftp" else _http
    left = tries
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            transfer(url, part, progress)
            break
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code not in (408, 429):
                raise
            broken: OSError = error
        except OSError as error:
            broken = error
        left = tries if part.exists() and part.stat().st_size > before else left - 1
        if left <= 0:
            raise broken
        time.sleep(pause_s * 2.0 ** (tries - left))
    part.rename(target)
    part.with_name(part.name + ".json").unlink(missing_ok=True)


def _http(url: str, part: Path, progress: Progress) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": "spa-widgets", "Accept-Encoding": "identity"})
    note = part.with_name(part.name + ".json")
    have = part.stat().st_size if part.exists() else 0
    mark = _read_mark(note)
    if have and mark:
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", mark)  # another version on the server: from the start
    else:
        have = 0
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # the part is not a beginning of what is there now
            part.unlink(missing_ok=True)
            raise OSError("the part on the disk did not match the file on the server") from error
        raise
    with response:
        if response.status != 206:
            have = 0
        total = have + int(response.headers.get("Content-Length") or 0)
        _write_json(note, {"mark": response.headers.get("ETag") or response.headers.get("Last-Modified") or ""})
        _append(part, have, total, iter(lambda: response.read(_CHUNK_BYTES), b""), progress)


def _read_mark(note: Path) -> str:
    try:
        return str(json.loads(note.read_text(encoding="utf-8"))["mark"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _append(part: Path, have: int, total: int, chunks: Iterator[bytes], progress: Progress) -> None:
    require_space(part.parent, total - have)
    done = have
    with part.open("r+b" if have else "wb") as stream:
        stream.seek(have)
        stream.truncate()
        for chunk in chunks:
            stream.write(chunk)
            done += len(chunk)
            progress(done, total, f"downloading {part.name.removesuffix('.part')}")
        stream.flush()
        os.fsync(stream.fileno())
    if total and done < total:
        raise OSError(f"the connection broke after {done} of {total} bytes")


def _ftp(url: str, part: Path, progress: Progress) -> None:
    parsed = urllib.parse.urlparse(url)
    have = part.stat().st_size if part.exists() else 0
    try:
        with ftplib.FTP(timeout=_TIMEOUT_S) as server:
            server.connect(parsed.hostname or "", parsed.port or ftplib.FTP_PORT)
            server.login()
            server.voidcmd("TYPE I")
            total = server.size(parsed.path) or 0
            if have > total:
                have = 0
            if have == total and total:
                return
            with server.transfercmd(f"RETR {parsed.path}", rest=have or None) as connection:
                _append(part, have, total, iter(lambda: connection.recv(_CHUNK_BYTES), b""), progress)
            server.voidresp()
    except ftplib.Error as error:
        raise OSError(str(error)) from error


def _sha256(path: Path, progress: Progress) -> str:
    total, done, digest = path.stat().st_size, 0, sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(4 * _CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            progress(done, total, f"verifying {path.name}")
    return digest.hexdigest()


def _write_json(path: Path, value: dict[str, Any]) -> None:
    part = path.with_name(path.name + ".new")
    part.write_text(json.dumps(value, indent=1), encoding="utf-8")
    part.rename(path)
