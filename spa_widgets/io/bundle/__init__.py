"""Bundles: a project, or a part of it, as one archive that is read without unpacking it.

A bundle is a ZIP file whose members are stored as they are, so that each can be read, or mapped into memory, where it
lies. ``manifest.json`` lists every member with its size and SHA-256; a member that is not in it, or differs from it, is
refused. What is in a bundle is data: nothing in it is executed, linked or unpickled.

Layout::

    manifest.json                 title, jobs, members, where files lay at the maker's, what was left out
    objects/ab/abcd…/…            results under their keys, bit by bit as they were published
    raw/<SHA-256>/<name>          raw files that results were made from
    history/decisions.jsonl       every click that counted
    history/J12.jsonl             the events of a job
"""

from __future__ import annotations

from spa_widgets.io.bundle.cache import BundleCache, bring, is_offered
from spa_widgets.io.bundle.manifest import MANIFEST, BundledJob, Manifest, Member, Missing
from spa_widgets.io.bundle.reader import BundleFile, is_bundle
from spa_widgets.io.bundle.writer import BundleWriter

__all__ = [
    "MANIFEST",
    "BundleCache",
    "BundleFile",
    "BundleWriter",
    "BundledJob",
    "Manifest",
    "Member",
    "Missing",
    "bring",
    "is_bundle",
    "is_offered",
]
