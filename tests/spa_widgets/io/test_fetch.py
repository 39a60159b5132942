from __future__ import annotations

import hashlib
import io
import json
import socket
import socketserver
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from spa_widgets.cli import main
from spa_widgets.errors import UserError
from spa_widgets.io import download as transfer
from spa_widgets.io.archives import unpack
from spa_widgets.io.download import download
from spa_widgets.io.fetch import DATA_SETS, DataSet, fetch


def make_tar(members: dict[str, bytes], change: Callable[[tarfile.TarInfo], None] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if change:
                change(info)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


MEMBERS = {f"set/mic_{i}.mrc": bytes([i]) * 200_000 for i in range(5)}


class Server(ThreadingHTTPServer):
    """A file server with Range and If-Range that can break off transfers."""

    content = make_tar(MEMBERS)
    etag = '"v1"'
    sent = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.break_after: list[int] = []
        self.statuses: list[int] = []
        self.ranges: list[str | None] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        asked = self.headers.get("Range")
        server.ranges.append(asked)
        if server.statuses:
            self.send_error(server.statuses.pop(0))
            return
        start = 0
        if asked and self.headers.get("If-Range") == server.etag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        body = server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("ETag", server.etag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.break_after:
            body = body[: server.break_after.pop(0)]
        self.wfile.write(body)
        server.sent += len(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    instance = Server()
    thread = threading.Thread(target=instance.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield instance
    instance.shutdown()
    thread.join()
    instance.server_close()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer.time, "sleep", lambda seconds: None)


def data_set(server: Server, **changes: object) -> DataSet:
    url = f"http://127.0.0.1:{server.server_address[1]}/set.tar"
    return replace(DataSet("test", (url,)), **changes)  # type: ignore[arg-type]


def test_a_broken_transfer_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.break_after = [300_000, 250_000]
    files = fetch(data_set(server), tmp_path)
    assert {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in files} == MEMBERS
    assert server.ranges == [None, "bytes=300000-", "bytes=550000-"]
    assert server.sent == len(server.content), "no byte was sent twice"
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["archive"]["sha256"] == hashlib.sha256(server.content).hexdigest()
    assert manifest["files"]["set/mic_3.mrc"] == 200_000
    assert not list(tmp_path.glob("*.part*"))


def test_the_second_time_nothing_is_sent_even_without_the_archive(server: Server, tmp_path: Path) -> None:
    fetch(data_set(server), tmp_path)
    asked = len(server.ranges)
    assert len(fetch(data_set(server), tmp_path)) == 5
    (tmp_path / "set.tar").unlink()
    assert len(fetch(data_set(server), tmp_path)) == 5
    assert len(server.ranges) == asked
    (tmp_path / "set" / "mic_1.mrc").write_bytes(b"short")
    assert (fetch(data_set(server), tmp_path)[1]).read_bytes() == MEMBERS["set/mic_1.mrc"]


def test_a_file_that_changed_on_the_server_is_taken_from_the_start(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "set.tar"
    part = tmp_path / "set.tar.part"
    part.write_bytes(b"old" * 1000)
    (tmp_path / "set.tar.part.json").write_text('{"mark": "\\"v0\\""}', encoding="utf-8")
    download(data_set(server).urls[0], target, lambda done, total, message: None)
    assert target.read_bytes() == server.content


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.statuses = [503, 500]
    assert len(fetch(data_set(server), tmp_path)) == 5


def test_a_wrong_checksum_is_found(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has SHA-256 .* expected 0000"):
        fetch(data_set(server, sha256="0" * 64), tmp_path)
    assert (tmp_path / "set.tar.damaged").exists() and not (tmp_path / "set").exists()


def test_offline_and_missing_files_get_one_sentence(server: Server, tmp_path: Path) -> None:
    server.statuses = [404]
    with pytest.raises(UserError, match=r"Cannot download set.tar .*Not Found.*continues where it stopped"):
        fetch(data_set(server), tmp_path)
    with pytest.raises(UserError, match=r"Cannot download set.tar from 127.0.0.1:9 .*Connection refused"):
        fetch(DataSet("x", ("http://127.0.0.1:9/set.tar",)), tmp_path)


@pytest.mark.parametrize("name", ["../outside.mrc", "/tmp/outside.mrc", "a/../../outside.mrc"])
def test_an_archive_cannot_write_outside_its_folder(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "bad.tar"
    archive.write_bytes(make_tar({"good.mrc": b"1", name: b"2"}))
    with pytest.raises(UserError, match="not a plain file inside the folder"):
        unpack(archive, tmp_path / "deep" / "out", 10_000)
    assert not list(tmp_path.rglob("outside.mrc")) and not list(tmp_path.rglob("good.mrc"))


def test_links_and_oversize_are_refused(tmp_path: Path) -> None:
    def link(info: tarfile.TarInfo) -> None:
        info.type, info.linkname, info.size = tarfile.SYMTYPE, "/etc/passwd", 0

    archive = tmp_path / "bad.tar"
    archive.write_bytes(make_tar({"link.mrc": b""}, link))
    with pytest.raises(UserError, match="not a plain file"):
        unpack(archive, tmp_path, 10_000)
    archive.write_bytes(make_tar({"big.mrc": b"0" * 2000}))
    with pytest.raises(UserError, match="refused"):
        unpack(archive, tmp_path, 1000)
    archive.write_bytes(b"this is no archive" * 100)
    with pytest.raises(UserError, match="not a whole tar archive"):
        unpack(archive, tmp_path, 1000)


def test_the_command(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = data_set(server).urls[0]
    assert main(["fetch", "empiar-10291-50mic", str(tmp_path), "--url", url]) == 0
    printed = capsys.readouterr()
    assert str(tmp_path / "set" / "mic_0.mrc") in printed.out and "verifying" in printed.err
    assert DATA_SETS["empiar-10291-50mic"].urls[0].endswith("EMPIAR-10291_50mic.tar")


class FtpHandler(socketserver.StreamRequestHandler):
    """As much of an FTP server as a resumable download needs; its first transfer breaks off."""

    def handle(self) -> None:
        self.say("220 ready")
        data = socket.create_server(("127.0.0.1", 0))
        start = 0
        for line in self.rfile:
            command, _, argument = line.decode().strip().partition(" ")
            if command == "RETR":
                self.say("150 here it comes")
                with data.accept()[0] as connection:
                    end = None if self.server.broken else 400_000  # type: ignore[attr-defined]
                    self.server.broken.append(start)  # type: ignore[attr-defined]
                    connection.sendall(Server.content[start:end])
                self.say("226 done")
            elif command == "PASV":
                port = data.getsockname()[1]
                self.say(f"227 Entering Passive Mode (127,0,0,1,{port >> 8},{port & 255})")
            elif command == "SIZE":
                self.say(f"213 {len(Server.content)}")
            elif command == "REST":
                start = int(argument)
                self.say("350 restarting")
            elif command == "QUIT":
                self.say("221 bye")
                break
            else:
                self.say("230 fine" if command in ("USER", "PASS") else "200 fine")
        data.close()

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


def test_ftp_is_the_second_way_and_goes_on_too(tmp_path: Path) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), FtpHandler) as ftp:
        ftp.broken = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=ftp.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        urls = ("http://127.0.0.1:9/set.tar", f"ftp://127.0.0.1:{ftp.server_address[1]}/pub/set.tar")
        files = fetch(DataSet("test", urls), tmp_path)
        ftp.shutdown()
        thread.join()
    assert [path.read_bytes() for path in files] == list(MEMBERS.values())
    assert ftp.broken == [0, 400_000]  # type: ignore[attr-defined]
