"""Bundles of a session: export jobs with all that they need, open a bundle as a project or behind one's own."""

from __future__ import annotations
