"""The file of settings, and what participants' sessions are told."""

from __future__ import annotations

import re
import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.hub.running import DEPLOY


def read(path: Path, text: str):  # type: ignore[no-untyped-def]
    from spa_hub.settings import Settings

    path.write_text(text, encoding="utf-8")
    return Settings.read(path)


def test_the_file_with_comments_holds_every_default() -> None:
    from spa_hub.settings import Settings

    shown = tomllib.loads((DEPLOY / "hub.toml").read_text(encoding="utf-8"))
    assert shown == {name: value for name, value in asdict(Settings()).items() if name != "tutorial"}
    assert Settings.read(DEPLOY / "hub.toml") == Settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port = 'x'", "port is 'x'; expected something like 8000"),
        ("cores = true", "cores is True"),
        ("memory = 3", "'memory' is unknown"),
        ("port =", "cannot be read as TOML"),
        ("address = '0.0.0.0'", "pass phrases in the clear"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        read(tmp_path / "hub.toml", text)


def test_lookers_on_are_told_to_look_and_of_no_service(tmp_path: Path) -> None:
    text = "class_store = '/srv/spa/store'\nservice = '/srv/spa'\n[tutorial]\nmicrographs = '/srv/*.mrc'\n"
    settings = read(tmp_path / "hub.toml", text)
    guest, looker = (settings.environment({group}) for group in ("guests", "lookers-on"))
    assert guest["SPA_SERVICE"] == "/srv/spa"
    assert "SPA_READ_ONLY" not in guest
    assert "SPA_SERVICE" not in looker
    assert looker["SPA_READ_ONLY"] == "1"
    assert looker["SPA_CLASS_STORE"] == guest["SPA_CLASS_STORE"] == "/srv/spa/store"
    assert guest["SPA_THREADS"] == "2"


def test_no_secret_is_in_the_folder() -> None:
    """Neither a phrase nor a key; names of files that hold them may be."""
    for file in DEPLOY.parent.rglob("*"):
        if file.is_file() and file.suffix != ".pyc":
            text = file.read_text(encoding="utf-8")
            assert not re.search(r"BEGIN [A-Z ]*PRIVATE KEY|\b[0-9a-f]{40,}\b|[a-z]{4}(-[a-z]{4}){3}\b", text), file
