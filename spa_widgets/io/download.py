"""One file over https or ftp: a part that is there is continued, a broken connection tried again."""

from __future__ import annotations

import ftplib
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spa_widgets.io.archives import Progress, require_space

CHUNK_BYTES = 1 << 20
_TIMEOUT_S = 30.0
_TRIES = 5


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
        write_json(note, {"mark": response.headers.get("ETag") or response.headers.get("Last-Modified") or ""})
        _append(part, have, total, iter(lambda: response.read(CHUNK_BYTES), b""), progress)


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
                _append(part, have, total, iter(lambda: connection.recv(CHUNK_BYTES), b""), progress)
            server.voidresp()
    except ftplib.Error as error:
        raise OSError(str(error)) from error


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a small JSON file so that it is always whole."""
    part = path.with_name(path.name + ".new")
    part.write_text(json.dumps(value, indent=1), encoding="utf-8")
    part.rename(path)
