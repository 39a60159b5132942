"""The hub's own modules live beside its configuration, not in a package that is installed."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "deploy" / "jupyterhub"))
