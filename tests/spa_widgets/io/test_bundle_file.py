"""Bundles as files: what is written is read bit by bit, and hostile or damaged archives are refused in one sentence."""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spa_widgets.errors import UserError
from spa_widgets.io.archives import require_space
from spa_widgets.io.bundle import BundleCache, BundleFile, BundleWriter, Manifest, Missing, bring, is_offered
from spa_widgets.io.mrc import read_mrc, read_mrc_slices
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import read_star

KEY = hashlib.sha256(b"result").hexdigest()
FOLDER = f"objects/{KEY[:2]}/{KEY}"
MAKER = "/home/maker/project/jobs/J1-extract"


def manifest(**changes: Any) -> dict[str, Any]:
    known = {"kind": "spa-bundle", "format": 1, "title": "Test", "created": 0.0, "members": {}}
    return {**known, **changes}


def listed(**members: bytes) -> dict[str, dict[str, Any]]:
    return {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in members.items()}


def archive(path: Path, members: dict[str, bytes], about: dict[str, Any] | bytes | None = None) -> Path:
    """Write an archive by hand, as somebody else's program might."""
    if about is None:
        about = manifest(members=listed(**members))
    with zipfile.ZipFile(path, "w") as made:
        for name, data in members.items():
            made.writestr(zipfile.ZipInfo(name), data)
        made.writestr("manifest.json", about if isinstance(about, bytes) else json.dumps(about))
    return path


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle with a stack, a table that names it by the maker's path, and a map that was left out."""
    stack = tmp_path / "particles.mrcs"
    write_mrc(stack, np.arange(5 * 8 * 8, dtype=np.float32).reshape(5, 8, 8), 2.5, is_stack=True)
    row = f"000002@{MAKER}/particles.mrcs /raw/a.mrc"
    table = f"data_particles\n\nloop_\n_rlnImageName #1\n_rlnMicrographName #2\n{row}\n"
    left_out = {f"{FOLDER}/map.mrc": 4_000_000}
    missing = [Missing(paths=["/raw/a.mrc"], bytes=3, sha256=hashlib.sha256(b"abc").hexdigest())]
    with BundleWriter(tmp_path / "made.spa") as writer:
        writer.add_file(f"{FOLDER}/particles.mrcs", stack)
        writer.add_bytes(f"{FOLDER}/particles.star", table.encode())
        writer.finish(
            Manifest.model_validate(
                manifest(members=writer.members, places={MAKER: FOLDER}, left_out=left_out, missing=missing)
            )
        )
    return tmp_path / "made.spa"


def test_members_are_read_bit_by_bit_in_place_and_by_any_zip_program(bundle: Path, tmp_path: Path) -> None:
    opened = BundleFile.open(bundle)
    original = (tmp_path / "particles.mrcs").read_bytes()
    assert opened.read(f"{FOLDER}/particles.mrcs") == original
    span = opened.span(f"{FOLDER}/particles.mrcs")
    mapped = np.memmap(bundle, np.float32, "r", span.offset + 1024, (5, 8, 8))
    assert np.array_equal(mapped[3], read_mrc_slices(tmp_path / "particles.mrcs", [3])[0])
    with zipfile.ZipFile(bundle) as plain:
        assert plain.testzip() is None
        assert plain.read(f"{FOLDER}/particles.mrcs") == original
    opened.verify()


def test_files_are_laid_out_one_by_one_and_tables_name_them_where_they_are(bundle: Path, tmp_path: Path) -> None:
    cache = BundleCache.make(BundleFile.open(bundle), tmp_path / "cache")
    star = cache.fetch(f"{FOLDER}/particles.star")
    assert [path.name for path in cache.folder.rglob("*") if path.is_file()].count("particles.mrcs") == 0
    name = read_star(star)["particles"]["rlnImageName"].iloc[0]
    stack = Path(name.partition("@")[2])
    assert name == f"000002@{cache.folder}/{FOLDER}/particles.mrcs"
    assert is_offered(stack)
    assert not is_offered(stack.with_name("other.mrcs"))
    assert not stack.exists()
    assert bring(stack) == stack
    assert stack.read_bytes() == (tmp_path / "particles.mrcs").read_bytes()
    assert bring(tmp_path / "nothing.mrc") is None
    assert cache.is_as_written(f"{FOLDER}/particles.mrcs")
    with pytest.raises(UserError, match=r"map\.mrc \(4\.0 MB\) was left out of the bundle made\.spa"):
        bring(stack.with_name("map.mrc"))


def test_raw_files_found_here_take_the_place_of_those_left_out(bundle: Path, tmp_path: Path) -> None:
    cache = BundleCache.make(BundleFile.open(bundle), tmp_path / "cache")
    assert b" /raw/a.mrc" in cache.fetch(f"{FOLDER}/particles.star").read_bytes()
    assert cache.relocate({hashlib.sha256(b"abc").hexdigest(): Path("/here/my data/a.mrc")})
    assert b" /here/my data/a.mrc\n" in cache.fetch(f"{FOLDER}/particles.star").read_bytes()
    assert not cache.relocate({"0" * 64: Path("/elsewhere")})


def test_paths_that_only_begin_alike_stay_as_they_are(bundle: Path, tmp_path: Path) -> None:
    cache = BundleCache.make(BundleFile.open(bundle), tmp_path / "cache")
    for path in (f"{MAKER}2/a.mrc", f"/mnt{MAKER}/a.mrc", "/raw/a.mrcs", "relative/a.mrc"):
        assert cache.local(path) == path
    assert cache.local(f"{MAKER}/sub/a.mrc") == f"{cache.folder}/{FOLDER}/sub/a.mrc"


def test_a_bundle_that_is_gone_or_another_one_is_named(bundle: Path, tmp_path: Path) -> None:
    cache = BundleCache.make(BundleFile.open(bundle), tmp_path / "cache")
    stack = cache.folder / FOLDER / "particles.mrcs"
    bundle.rename(tmp_path / "moved.spa")
    with pytest.raises(UserError, match=r"made\.spa.* is not there; move it back"):
        bring(stack)
    archive(bundle, {})
    with pytest.raises(UserError, match="is another bundle than the one opened before"):
        bring(stack)


def test_an_archive_of_nothing_is_no_bundle(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "empty.spa", "w"):
        pass
    with pytest.raises(UserError, match=r"empty.spa is not a bundle of spa: it has no manifest.json"):
        BundleFile.open(tmp_path / "empty.spa")


def test_an_export_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "data.mrc").write_bytes(b"x" * 100)
    target = tmp_path / "out" / "made.spa"

    def stop(written: int, name: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), BundleWriter(target, stop) as writer:
        writer.add_file(f"{FOLDER}/data.mrc", tmp_path / "data.mrc")
    assert list(target.parent.iterdir()) == []
    with pytest.raises(UserError, match="has changed since its result was made"), BundleWriter(target) as writer:
        writer.add_file(f"{FOLDER}/data.mrc", tmp_path / "data.mrc", "0" * 64)
    assert list(target.parent.iterdir()) == []
    target.write_bytes(b"mine")
    with pytest.raises(UserError, match="is there already"):
        BundleWriter(target)
    assert target.read_bytes() == b"mine"


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def cut_in_the_middle(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])


def change_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(b"data_particles")] ^= 1
    path.write_bytes(content)


def change_the_crc(path: Path) -> None:
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\x01\x02", 0, content.rindex(b"particles.star"))
    content[place + 16] ^= 1
    path.write_bytes(content)


def change_a_local_name(path: Path) -> None:
    content = bytearray(path.read_bytes())
    place = content.index(b"particles.star")
    content[place : place + 9] = b"../../etc"
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (cut_short, "is not a whole bundle"),
        (cut_in_the_middle, "is not a whole bundle"),
        (change_a_byte, r"is damaged: objects/.*particles\.star is not what was written"),
        (change_the_crc, r"is damaged: objects/.*particles\.star is not what was written"),
        (change_a_local_name, "is damaged: the header of"),
    ],
)
def test_a_damaged_bundle_is_told(bundle: Path, damage: Callable[[Path], None], sentence: str) -> None:
    damage(bundle)
    with pytest.raises(UserError, match=sentence):
        BundleFile.open(bundle).verify()


@pytest.mark.parametrize(
    "name",
    ["../evil.mrc", "/etc/passwd", f"{FOLDER}/../../../../evil", f"{FOLDER}/./a", f"{FOLDER}//a", "C:/a",
     f"{FOLDER}/a\\b", f"{FOLDER}/a\nb", f"{FOLDER}/{'a' * 300}", f"objects/00/{KEY}/a", "somewhere/else.txt",
     "history/notes.txt", f"{FOLDER}/folder/", "raw/abc/a.mrc"],
)  # fmt: skip
def test_names_that_leave_the_folder_or_have_no_place_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="it is refused"):
        BundleFile.open(archive(tmp_path / "evil.spa", {name: b"data"}))


def test_links_compression_encryption_and_doubles_are_refused(tmp_path: Path) -> None:
    name = f"{FOLDER}/a.star"
    link = zipfile.ZipInfo(name)
    link.create_system, link.external_attr = 3, 0o120777 << 16
    packed = zipfile.ZipInfo(name)
    packed.compress_type = zipfile.ZIP_DEFLATED
    for info, sentence in ((link, "is a link or a device"), (packed, "compressed, which no bundle is")):
        path = tmp_path / "evil.spa"
        with zipfile.ZipFile(path, "w") as made:
            made.writestr(info, b"0" * 5000)
            made.writestr("manifest.json", json.dumps(manifest(members=listed(**{name: b"0" * 5000}))))
        with pytest.raises(UserError, match=sentence):
            BundleFile.open(path)
    with zipfile.ZipFile(tmp_path / "double.spa", "w") as made, pytest.warns(UserWarning, match="Duplicate"):
        made.writestr(zipfile.ZipInfo(name), b"one")
        made.writestr(zipfile.ZipInfo(name), b"two")
    with pytest.raises(UserError, match="twice; it is refused"):
        BundleFile.open(tmp_path / "double.spa")
    secret = archive(tmp_path / "secret.spa", {name: b"data"})
    content = bytearray(secret.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    secret.write_bytes(content)
    with pytest.raises(UserError, match="encrypted"):
        BundleFile.open(secret)


def test_members_that_share_bytes_or_announce_too_many_are_refused(tmp_path: Path) -> None:
    """The classic bomb: many entries of the table of contents point to one piece of data."""
    names = [f"{FOLDER}/{i}.mrc" for i in range(2)]
    path = archive(tmp_path / "bomb.spa", dict.fromkeys(names, b"x" * 1000))
    content = bytearray(path.read_bytes())
    second = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 4)
    struct.pack_into("<I", content, second + 42, 0)  # the second entry begins where the first one does
    path.write_bytes(content)
    with pytest.raises(UserError, match="overlaps"):
        BundleFile.open(path)
    large = archive(tmp_path / "large.spa", {names[0]: b"x" * 1000})
    content = bytearray(large.read_bytes())
    place = content.index(b"PK\x01\x02")
    struct.pack_into("<II", content, place + 20, 4_000_000_000, 4_000_000_000)
    large.write_bytes(content)
    with pytest.raises(UserError, match="more bytes than the archive has"):
        BundleFile.open(large)


@pytest.mark.parametrize(
    ("about", "sentence"),
    [
        (b"{", "damaged manifest"),
        (b"[" * 100_000, "damaged manifest"),
        (b"\xff\xfe", "damaged manifest"),
        ({"kind": "something"}, "is not a bundle of spa"),
        (manifest(format=2), "written by a later version"),
        (manifest(members={f"{FOLDER}/a": {"bytes": -1, "sha256": KEY}}), "damaged manifest"),
        (manifest(members={f"{FOLDER}/a": {"bytes": 1, "sha256": "x"}}), "damaged manifest"),
        (manifest(members=listed(**{f"{FOLDER}/a": b"x"})), "lacks objects/.*/a, which its manifest"),
        (manifest(places={"/raw/a.mrc": "../../etc"}), "which it does not hold; it is refused"),
        (manifest(places={"relative": FOLDER}), "which it does not hold; it is refused"),
        (manifest(left_out={"../a": 1}), "no plain name"),
        (manifest(jobs=[{"number": 1, "workspace": "W", "step": "import os", "spec": {}, "device": "cpu", "key": KEY,
                         "created": 0.0}]), "damaged manifest"),
        (manifest(jobs=[{"number": 1, "workspace": "W", "step": "refine", "spec": {}, "device": "cpu", "key": KEY,
                         "created": 0.0}]), "lists J1 without its result"),
        (manifest(jobs=[{"number": 1, "workspace": "W", "step": "refine", "spec": {}, "device": "cpu", "key": KEY,
                         "created": 0.0}] * 2), "two jobs of one number"),
    ],
)  # fmt: skip
def test_a_manifest_that_does_not_hold_together_is_refused(
    tmp_path: Path, about: dict[str, Any] | bytes, sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        BundleFile.open(archive(tmp_path / "evil.spa", {}, about))


def test_members_that_are_not_listed_or_have_another_size_are_refused(tmp_path: Path) -> None:
    name = f"{FOLDER}/a.mrc"
    with pytest.raises(UserError, match="does not list; it is refused"):
        BundleFile.open(archive(tmp_path / "more.spa", {name: b"data"}, manifest()))
    with pytest.raises(UserError, match="has 4 bytes, written with 5"):
        BundleFile.open(archive(tmp_path / "size.spa", {name: b"data"}, manifest(members=listed(**{name: b"data5"}))))
    changed = archive(tmp_path / "hash.spa", {name: b"data"}, manifest(members=listed(**{name: b"tada"})))
    with pytest.raises(UserError, match="is not what was written into it"):
        BundleFile.open(changed).copy(name, tmp_path / "out" / "a.mrc")
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_no_bundle_is_told(tmp_path: Path) -> None:
    (tmp_path / "text.spa").write_text("hello", encoding="utf-8")
    for path, sentence in (
        (tmp_path / "text.spa", "is not a whole bundle"),
        (tmp_path / "nothing.spa", "cannot be opened as a bundle"),
    ):
        with pytest.raises(UserError, match=sentence):
            BundleFile.open(path)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as made:
        made.writestr(f"{FOLDER}/a.star", "text")
    with pytest.raises(UserError, match=r"it has no manifest\.json"):
        BundleFile.open(tmp_path / "other.zip")


def test_a_full_disk_is_told_before_a_file_is_laid_out(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path, needed: int) -> None:
        require_space(folder, needed + 10**18)

    monkeypatch.setattr("spa_widgets.io.bundle.reader.require_space", full)
    with pytest.raises(UserError, match="are needed"):
        BundleFile.open(bundle).copy(f"{FOLDER}/particles.mrcs", tmp_path / "out.mrcs")
    assert not (tmp_path / "out.mrcs").exists()
    assert read_mrc(tmp_path / "particles.mrcs")[0].shape == (5, 8, 8)
