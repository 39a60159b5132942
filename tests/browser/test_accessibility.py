"""A widget by keyboard alone: what has the focus is seen, dialogs keep it and give it back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.widget_data import add_members, make_classes

pytestmark = pytest.mark.browser


def test_the_keyboard_alone_opens_chooses_and_comes_back(open_notebook: Any, lab: Any) -> None:
    classes = make_classes(lab.folder / "accessible")
    add_members(classes)
    notebook = open_notebook([f"from spa_widgets import ClassGallery\ng = ClassGallery(None, {str(classes)!r})\ng"])
    page, root = notebook.page, notebook.widget()
    page.wait_for_selector(".spa[data-shown=atlas]")
    root.locator(".spa-class").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    notebook.wait_python("g.detail", 5)
    page.keyboard.press("Escape")
    notebook.wait_python("g.detail", 0)
    page.keyboard.press("?")
    page.locator("[role=dialog]").wait_for()
    for _ in range(3):  # the focus stays in the dialog
        page.keyboard.press("Tab")
        assert page.evaluate("!!document.activeElement.closest('[role=dialog]')")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.class") == "5", "back where it was"
    ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert ring == "solid", "what has the focus is seen"
