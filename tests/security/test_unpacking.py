"""Archives stay in their folder, whatever they hold and whatever lies there already."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from spa_widgets.errors import UserError, on_one_line
from spa_widgets.io.archives import unpack


def archive(path: Path, *members: tuple[str, bytes], **facts: object) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for fact, value in facts.items():
                setattr(info, fact, value)
            tar.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE],
)
def test_links_and_devices_are_refused(tmp_path: Path, folder: Path, kind: bytes) -> None:
    file = archive(tmp_path / "a.tar", ("x", b""), type=kind, linkname="/etc/passwd")
    with pytest.raises(UserError, match=r"a.tar holds 'x', which is not a plain file inside the folder; it is refused"):
        unpack(file, folder, 1000)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "a\\..\\x", "x\x1b[2J", "x\ny", "."])
def test_names_that_leave_or_deceive_are_refused(tmp_path: Path, folder: Path, name: str) -> None:
    with pytest.raises(UserError, match="is refused"):
        unpack(archive(tmp_path / "a.tar", (name, b"1")), folder, 1000)
    assert not list(folder.iterdir()) and not (tmp_path / "x").exists()


def test_a_link_that_lies_in_a_shared_folder_is_not_followed(tmp_path: Path, folder: Path) -> None:
    """Another user of the folder has put links where files of the archive will be."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "kept").write_text("kept", encoding="utf-8")
    file = archive(tmp_path / "a.tar", ("one", b"from the archive"), ("deep/two", b"from the archive"))
    (folder / "one.part").symlink_to(mine / "kept")
    (folder / "one").symlink_to(mine / "kept")
    (folder / "deep").symlink_to(mine)
    with pytest.raises(UserError, match=r"deep is a link that leaves .*out; nothing is unpacked through it: remove it"):
        unpack(file, folder, 1000)
    assert (mine / "kept").read_text(encoding="utf-8") == "kept" and [path.name for path in mine.iterdir()] == ["kept"]
    assert (folder / "one").read_bytes() == b"from the archive" and not (folder / "one").is_symlink()


def test_a_link_with_the_right_size_is_not_taken_for_the_file(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "other").write_bytes(b"12345")
    (folder / "x").symlink_to(tmp_path / "other")
    unpack(archive(tmp_path / "a.tar", ("x", b"abcde")), folder, 1000)
    assert not (folder / "x").is_symlink() and (folder / "x").read_bytes() == b"abcde"


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ((("a", b"1"), ("a/b", b"2")), "a.tar cannot be unpacked: {out}/a is in the way (File exists); choose an empty "
         "folder."),
        ((("a/b", b"1"), ("a", b"2")), "a.tar cannot be unpacked: {out}/a.part is in the way (Is a directory); choose "
         "an empty folder."),
    ],
)  # fmt: skip
def test_a_file_and_a_folder_of_one_name(
    tmp_path: Path, folder: Path, members: tuple[tuple[str, bytes], ...], sentence: str
) -> None:
    with pytest.raises(UserError) as caught:
        unpack(archive(tmp_path / "a.tar", *members), folder, 1000)
    assert str(caught.value).replace(str(folder), "{out}") == sentence


def test_a_bomb_is_refused_before_anything_is_written(tmp_path: Path, folder: Path) -> None:
    plain = archive(tmp_path / "a.tar", ("x", bytes(5_000_000)))
    packed = tmp_path / "b.tar.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert packed.stat().st_size < 50_000
    with pytest.raises(UserError, match=r"unpacks to more than 1\.0 MB or 100000 files; refused"):
        unpack(packed, folder, 1_000_000)
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    "content",
    # gzip writes the time of day: without mtime the parallel workers would not agree on the name of the test.
    [b"", b"x" * 3000, gzip.compress(b"x" * 3000, mtime=0)[:-9], b"BZh9" + b"x" * 200],
    ids=["empty", "text", "cut gzip", "false bzip2"],
)
def test_what_is_no_archive_gets_one_sentence(tmp_path: Path, folder: Path, content: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(UserError) as caught:
        unpack(tmp_path / "a.tar", folder, 1000)
    assert str(caught.value).startswith("a.tar is not a whole tar archive (")
    assert len(str(caught.value).splitlines()) == 1


def test_text_from_files_cannot_steer_a_terminal() -> None:
    error = UserError("the cell is '\x1b]0;title\x07\x1b[2J', \u202egpj.exe\nand\tmore \ud800; mend it")
    assert str(error) == "the cell is '�]0;title��[2J', �gpj.exe and more �; mend it"
    plain = "ピクセルサイズ 1.2 Å × 3 µm – it is as it was"
    assert on_one_line(plain) == plain


def test_new_files_are_for_their_owner_alone_where_the_umask_says_so(tmp_path: Path, folder: Path) -> None:
    before = os.umask(0o077)
    try:
        (found,) = unpack(archive(tmp_path / "a.tar", ("x", b"1"), mode=0o6777), folder, 1000)
    finally:
        os.umask(before)
    assert found.stat().st_mode & 0o7777 == 0o600
