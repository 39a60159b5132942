"""The pages of steps are those of the code, and nothing in them is left in English on the Japanese one."""

import pytest

from spa_widgets.session.fields import param_fields
from spa_widgets.viewers.labels import in_japanese
from tests.support.step_pages import DOCS, own_steps, page


@pytest.mark.parametrize(("name", "language"), [("steps.md", "en"), ("steps.ja.md", "ja")])
def test_the_page_is_that_of_the_declarations(name, language):
    kept = (DOCS / name).read_text(encoding="utf-8")
    assert kept == page(language), f"docs/{name} is old: run python tests/support/step_pages.py."


def test_every_word_that_a_form_shows_has_its_japanese():
    said = {}
    for step in own_steps():
        fields = param_fields(step.params)
        texts = [step.title, step.summary, *(item.help for item in step.inputs)]
        said |= dict.fromkeys([*texts, *(text for field in fields for text in (field.label, field.help))], step.name)
    missing = {text: step for text, step in said.items() if text and in_japanese(text) == text}
    assert not missing, f"spa_widgets/viewers/steps.ja.json lacks {missing}"
