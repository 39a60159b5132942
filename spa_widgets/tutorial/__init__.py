"""The tutorial: its data, its checks against truth, and running its notebook without a person."""

from __future__ import annotations

from spa_widgets.tutorial.data import TutorialData, tutorial_data

__all__ = ["TutorialData", "tutorial_data"]
