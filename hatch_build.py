"""Hatch build hook: bundle the widgets' browser side before a wheel (or an editable install) is made."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def _builder(root: Path) -> ModuleType:
    """Load spa_widgets/build_static.py by its path: the package itself is not installed yet."""
    spec = importlib.util.spec_from_file_location("spa_build_static", root / "spa_widgets" / "build_static.py")
    if spec is None or spec.loader is None:
        raise RuntimeError("spa_widgets/build_static.py was not found beside hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class StaticFilesHook(BuildHookInterface):
    """Runs ``npm ci`` and esbuild; asks for Node as a Python package where the machine has none."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Give the build dependencies: Node from PyPI if it is not on the PATH."""
        builder = _builder(Path(self.root))
        return [] if builder.node_on_path() or self._is_built() else [builder.NODE_PACKAGE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the bundles (skipped when a source distribution already carries them and no sources changed)."""
        if self.target_name != "wheel":
            return
        if not self._is_built():
            _builder(Path(self.root)).build(Path(self.root))
        build_data["artifacts"].append("spa_widgets/static/*.js")

    def _is_built(self) -> bool:
        """Tell whether every bundle is newer than every TypeScript source."""
        root = Path(self.root)
        sources = [
            *root.glob("spa_widgets/**/*.ts"),
            *root.glob("spa_widgets/**/*.css"),
            *root.glob("spa_widgets/viewers/*.json"),
        ]
        bundles = [
            root / "spa_widgets" / "static" / f"{entry.parent.name}.js"
            for entry in sources
            if entry.name == "widget.ts"
        ]
        if not bundles or not all(bundle.exists() for bundle in bundles):
            return False
        newest = max(source.stat().st_mtime for source in sources)
        return min(bundle.stat().st_mtime for bundle in bundles) >= newest
