"""Publish the results of a bundle in a store: its keeper vouches for them, and everybody behind the store has them."""

from __future__ import annotations

import shutil
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from spa_widgets.errors import UserError
from spa_widgets.io.archives import Progress, require_space
from spa_widgets.io.bundle import BundleCache, BundleFile
from spa_widgets.io.bundle.manifest import result_member
from spa_widgets.session.bundle.stored import BundledObject, BundleStore
from spa_widgets.session.keys import digest
from spa_widgets.session.store import Store


@dataclass
class Published:
    """What became of the results of a bundle.

    Attributes
    ----------
    new : list of str
        Keys that are in the store now.
    known : list of str
        Keys that were there before.
    lacking : list of str
        Keys whose files were left out of the bundle in part, and so are not in the store.
    """

    new: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Say in a line what was published and what was not."""
        known = f", {len(self.known)} were there" if self.known else ""
        lacking = f", {len(self.lacking)} lack files that were left out of the bundle" if self.lacking else ""
        return f"{len(self.new)} results published{known}{lacking}"


def publish_bundle(bundle: BundleFile, store: Store, progress: Progress = lambda done, total, name: None) -> Published:
    """Publish the results of a bundle, and the raw files that they mention, in a store.

    Every file is compared with the bundle on its way, and every result with its key. In tables the paths at the
    maker's become those in the store.

    Parameters
    ----------
    bundle
        The bundle.
    store
        The store; only who may write it can do this.
    progress
        Told bytes done, bytes in all, and what is written.

    Raises
    ------
    UserError
        If the bundle is damaged, or the disk has no room.
    """
    # as if the store were the folder of the bundle: then a result lies where the store publishes it
    cache = BundleCache(store.path, bundle)
    members = bundle.manifest.members
    listed = {name.split("/")[2] for name in members if name.startswith("objects/")}
    keys = sorted(key for key in listed if result_member(key) in members)
    found = Published()
    wanted: list[BundledObject] = []
    for key in keys:
        if store.find(key) is not None:
            found.known.append(key)
            continue
        result = _checked(cache, key)
        if all(result.has(name) for name in result.result["files"]):
            wanted.append(result)
        else:
            found.lacking.append(key)
    raw = [name for name in members if name.startswith("raw/") and not (store.path / name).is_file()]
    total = sum(members[name].bytes for name in [*raw, *(name for result in wanted for name in result.members())])
    require_space(store.path, total)
    done = 0
    for name in raw:
        progress(done, total, name)
        cache.fetch(name)
        done += members[name].bytes
    for result in wanted:
        progress(done, total, result.key)
        _publish(cache, result, store)
        done += sum(members[name].bytes for name in result.members())
        found.new.append(result.key)
    progress(total, total, "")
    return found


def _checked(cache: BundleCache, key: str) -> BundledObject:
    result = BundleStore(cache).find(key)
    if result is None or digest(result.result.get("pieces")) != key:
        raise UserError(f"{cache.bundle.path.name} has another result under the key {key[:16]}; nothing is published.")
    return result


def _publish(cache: BundleCache, result: BundledObject, store: Store) -> None:
    folder = store.path / "work" / f"bundle-{uuid.uuid4().hex}"
    folder.mkdir()
    try:
        for member in result.members():
            target = folder / Path(member).relative_to(result.member_folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            if cache.is_text(member):
                target.write_bytes(cache.text(member))
            else:
                cache.bundle.copy(member, target)
        store.publish(result.key, folder, {name: value for name, value in result.result.items() if name != "files"})
    finally:
        shutil.rmtree(folder, ignore_errors=True)
