"""What participants may name, and what they may put into the spool: judged with real accounts and real files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from service_support import ALICE, MALLORY, as_user

from spa_widgets.errors import UserError
from spa_widgets.service.intake import Intake, Participant
from spa_widgets.session.tickets import BadRequest, new_ticket, read_request


@pytest.fixture
def home(as_root: None, open_folder: Path) -> Path:
    """Mallory's own folder."""
    folder = open_folder / f"home-{new_ticket()[:8]}"
    folder.mkdir()
    os.chown(folder, MALLORY, MALLORY)
    return folder


@pytest.fixture
def intake(open_folder: Path) -> Intake:
    return Intake(open_folder / "raw", 10_000)


def admit(intake: Intake, path: Path, uid: int = MALLORY) -> Path:
    return Path(intake.admit([str(path)], Participant.of(uid))[0])


def write(path: Path, text: str = "content", mode: int = 0o644, uid: int = MALLORY) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    os.chown(path, uid, uid)
    return path


def test_a_participants_file_is_copied_under_its_content(home: Path, intake: Intake) -> None:
    mine = write(home / "mic.mrc", "what was there when it was read")
    copied = admit(intake, mine)
    assert copied.name == "mic.mrc" and copied.parent.name == hashlib.sha256(mine.read_bytes()).hexdigest()
    assert copied.is_relative_to(intake.folder) and copied.stat().st_uid == os.geteuid()
    assert not copied.stat().st_mode & 0o222
    write(mine, "what it was exchanged for")
    assert copied.read_text(encoding="utf-8") == "what was there when it was read" and admit(intake, mine) != copied


def test_a_file_that_only_its_keeper_can_change_is_used_where_it_lies(home: Path, intake: Intake) -> None:
    shared = write(home.parent / "shared" / "mic.mrc", uid=0)
    assert admit(intake, shared) == shared
    link = home / "link.mrc"
    link.symlink_to(shared)
    assert admit(intake, link) == shared, "a link of one's own to what everybody may read does no harm"


@pytest.mark.parametrize("trick", ["private", "of another", "locked folder", "link to a secret", "dots", "fifo",
                                   "folder", "missing", "group", "large"])  # fmt: skip
def test_what_is_not_for_everybody_is_refused(home: Path, intake: Intake, trick: str) -> None:
    secret = write(home.parent / "vault" / "secret.mrc", "secret", 0o600, uid=0)
    path = home / "x.mrc"
    match trick:
        case "private":
            write(path, mode=0o600)
        case "of another":
            write(path, mode=0o600, uid=ALICE)
        case "locked folder":
            path = write(home / "locked" / "x.mrc")
            path.parent.chmod(0o700)
        case "link to a secret":
            path.symlink_to(secret)
        case "dots":
            path = home / ".." / "vault" / "secret.mrc"
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "group":
            write(path, mode=0o604)  # its own group, and so he, may not
            os.chown(path, ALICE, 64_200)
            who = Participant(MALLORY, "mallory", frozenset({64_200}))
            with pytest.raises(UserError, match="not for everybody to read"):
                intake.admit([str(path)], who)
            return
        case "large":
            write(path, "x" * 10_001)
    with pytest.raises(UserError) as refused:
        admit(intake, path)
    assert "secret\n" not in str(refused.value) and not list(intake.folder.glob("*/secret*"))


def test_a_table_may_not_name_what_its_owner_could_exchange(home: Path, intake: Intake) -> None:
    shared = write(home.parent / "shared" / "mic.mrc", uid=0)
    good = write(home / "good.star", f"data_\n\nloop_\n_rlnMicrographName\n{shared}\n")
    assert admit(intake, good).read_text(encoding="utf-8") == good.read_text(encoding="utf-8")
    mine = write(home / "mine.mrc")
    bad = write(home / "bad.star", f"data_\n\nloop_\n_rlnMicrographName\n{mine}\n")
    with pytest.raises(UserError, match="in a folder of your own"):
        admit(intake, bad)
    secret = write(home.parent / "vault" / "secret.mrc", "secret", 0o600, uid=0)
    worse = write(home / "worse.star", f"data_\n\nloop_\n_rlnMicrographName\n{secret}\n")
    with pytest.raises(UserError, match="not for everybody to read"):
        admit(intake, worse)


# -- the spool -------------------------------------------------------------------------------------------------------


def link(spool: Path, name: str) -> None:
    (spool / "target").write_text(json.dumps({"format": 1, "id": name.removesuffix(".json")}), encoding="utf-8")
    (spool / name).symlink_to(spool / "target")


def hard_link(spool: Path, name: str) -> None:
    (spool / "target").write_text(json.dumps({"format": 1, "id": name.removesuffix(".json")}), encoding="utf-8")
    os.link(spool / "target", spool / name)


BAD: dict[str, Callable[[Path, str], object]] = {
    "link": link,
    "hard link": hard_link,
    "fifo": lambda spool, name: os.mkfifo(spool / name),
    "folder": lambda spool, name: (spool / name).mkdir(),
    "huge": lambda spool, name: (spool / name).write_text(
        json.dumps({"format": 1, "id": name[:-5], "x": "y" * 5000}), encoding="utf-8"
    ),
    "not JSON": lambda spool, name: (spool / name).write_bytes(b"\xff\x00{"),
    "deep": lambda spool, name: (spool / name).write_text("[" * 3000, encoding="utf-8"),
    "list": lambda spool, name: (spool / name).write_text("[1]", encoding="utf-8"),
    "renamed": lambda spool, name: (spool / name).write_text(
        json.dumps({"format": 1, "id": new_ticket()}), encoding="utf-8"
    ),
    "later format": lambda spool, name: (spool / name).write_text(
        json.dumps({"format": 2, "id": name[:-5]}), encoding="utf-8"
    ),
}


@pytest.mark.parametrize("kind", sorted(BAD))
def test_what_is_no_request_is_refused(tmp_path: Path, kind: str) -> None:
    name = f"{new_ticket()}.json"
    BAD[kind](tmp_path, name)
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(BadRequest):
            read_request(folder, name, 4000)
    finally:
        os.close(folder)


def test_the_system_says_who_asks(as_root: None, open_folder: Path) -> None:
    spool = open_folder / "spool-of-many"
    spool.mkdir()
    spool.chmod(0o1733)
    ticket = new_ticket()
    text = json.dumps({"format": 1, "id": ticket, "uid": 0, "user": "root"})
    as_user(MALLORY, lambda: (spool / f"{ticket}.json").write_text(text, encoding="utf-8"))
    folder = os.open(spool, os.O_RDONLY)
    assert read_request(folder, f"{ticket}.json", 1000)[0] == MALLORY
    os.close(folder)

    def look_around() -> None:
        with pytest.raises(PermissionError):
            list(spool.iterdir())
        with pytest.raises(PermissionError):
            (spool / f"{ticket}.json").unlink()

    as_user(ALICE, look_around)
