"""The browser side: labels in both languages, bundle sizes, and the TypeScript units."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
STATIC = ROOT / "spa_widgets" / "static"
WIDGETS = sorted(path.parent.name for path in (ROOT / "spa_widgets").glob("*/*/widget.ts"))


def test_every_label_used_is_there_in_english_and_japanese() -> None:
    messages = json.loads((ROOT / "spa_widgets" / "viewers" / "messages.json").read_text(encoding="utf-8"))
    used = set()
    for source in (ROOT / "spa_widgets").glob("**/*.ts"):
        used |= set(re.findall(r"\bt\(\"(\w+)\"", source.read_text(encoding="utf-8")))
    missing = sorted(key for key in used if not messages.get(key, {}).get("en") or not messages[key].get("ja"))
    assert used and not missing


def test_labels_keep_their_places_in_both_languages() -> None:
    messages = json.loads((ROOT / "spa_widgets" / "viewers" / "messages.json").read_text(encoding="utf-8"))
    for key, entry in messages.items():
        assert set(re.findall(r"\{\w+\}", entry["en"])) == set(re.findall(r"\{\w+\}", entry["ja"])), key


@pytest.mark.parametrize("name", WIDGETS)
def test_bundles_are_small(name: str) -> None:
    path = STATIC / f"{name}.js"
    if not path.exists():
        pytest.skip("the bundles are not built: python -m spa_widgets.build_static")
    assert len(gzip.compress(path.read_bytes())) <= 150_000


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]


def test_typescript_units_pass() -> None:
    vitest = ROOT / "node_modules" / "vitest" / "vitest.mjs"
    node = shutil.which("node")
    if node is None or not vitest.exists():
        pytest.skip("vitest is not installed: npm ci")
    done = subprocess.run(
        [node, str(vitest), "run"], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
