"""Pages of all steps with their inputs, outputs and parameters in English and Japanese, made from the declarations.

``python tests/support/step_pages.py`` writes `docs/steps.md` and `docs/steps.ja.md`; a test compares them with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spa_widgets.cli_steps import command_name, step_command
from spa_widgets.session.fields import BOOLEAN, CHOICE, ParamField, param_fields
from spa_widgets.session.registry import Step, get_step, load_steps
from spa_widgets.steps import ORDER
from spa_widgets.viewers.labels import in_japanese

DOCS = Path(__file__).resolve().parents[2] / "docs"


@dataclass(frozen=True)
class Words:
    """The words of a page in one language that the declarations do not hold."""

    title: str
    opening: str
    contents: str
    goes_in: str
    comes_out: str
    heads: tuple[str, str, str, str]
    needed: str
    empty: str
    optional: str
    on_off: tuple[str, str]
    advanced: str
    without: str


ENGLISH = Words(
    title="Steps and their parameters",
    opening=(
        "Each step is a method of the session, a command and a form; all three are made from one declaration, and "
        "so is this page. 日本語: [steps.ja.md](steps.ja.md)"
    ),
    contents="Steps",
    goes_in="Goes in",
    comes_out="Comes out",
    heads=("parameter", "default", "allowed", "what it is"),
    needed="must be given",
    empty="empty",
    optional="may be left out",
    on_off=("on", "off"),
    advanced="advanced",
    without="No parameters.",
)

JAPANESE = Words(
    title="ステップとパラメーター",
    opening=(
        "各ステップはセッションのメソッド、コマンド、フォームとして使えます。三つとも一つの宣言から作られ、このページも同じ宣言から作られます。"
        "English: [steps.md](steps.md)"
    ),
    contents="ステップ一覧",
    goes_in="入力",
    comes_out="出力",
    heads=("パラメーター", "既定値", "範囲", "説明"),
    needed="必須",
    empty="空",
    optional="省略可",
    on_off=("オン", "オフ"),
    advanced="詳細",
    without="パラメーターはありません。",
)


def own_steps() -> list[Step]:
    """Give the steps of the package in the order in which a person meets them, without any that others registered."""
    load_steps()
    return [get_step(name) for name in ORDER]


def page(language: str) -> str:
    """Text of the page in ``en`` or ``ja``."""
    words, say = (JAPANESE, in_japanese) if language == "ja" else (ENGLISH, str)
    steps = own_steps()
    contents = [f"- [{say(step.title)}](#{step.name}) `{step.name}`" for step in steps]
    parts = [_step(step, words, say) for step in steps]
    return "\n".join([f"# {words.title}", "", words.opening, "", f"## {words.contents}", "", *contents, "", *parts])


def _step(step: Step, words: Words, say: Any) -> str:
    arguments = " ".join(p.human_readable_name for p in step_command(step, command_name(step)).params if _is_input(p))
    call = ", ".join([step.argument_name(item) for item in step.inputs if not item.optional] + ["…"])
    lines = [f'<a id="{step.name}"></a>', f"## {say(step.title)}", "", say(step.summary), ""]
    lines += [f"`session.{step.name}({call})` · `spa {command_name(step)} {arguments} …`".replace("  ", " "), ""]
    inputs = [_input(item, words, say) for item in step.inputs]
    lines += [f"{words.goes_in}: {'; '.join(inputs)}.", ""] if inputs else []
    outputs = ", ".join(f"`{item.name}` ({item.file})" for item in step.outputs)
    lines += [f"{words.comes_out}: {outputs}.", ""] if outputs else []
    fields = sorted(param_fields(step.params), key=lambda field: field.group == "advanced")
    if not fields:
        return "\n".join([*lines, words.without, ""])
    lines += [f"| {' | '.join(words.heads)} |", "|---|---|---|---|"]
    return "\n".join([*lines, *(_row(field, words, say) for field in fields), ""])


def _is_input(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _input(item: Any, words: Words, say: Any) -> str:
    notes = [say(item.help).rstrip("。.")] if item.help else []
    notes += [words.optional] if item.optional else []
    return f"`{item.name}`" + (f" ({', '.join(notes)})" if notes else "")


def _row(field: ParamField, words: Words, say: Any) -> str:
    label = say(field.label) + (f" ({words.advanced})" if field.group == "advanced" else "")
    cells = [f"`{field.name}`<br>{label}", _default(field, words), _allowed(field), say(field.help)]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(field: ParamField, words: Words) -> str:
    if field.required:
        return words.needed
    if field.default is None or field.default in ("", [], {}):
        return words.empty
    if field.kind == BOOLEAN:
        return words.on_off[0 if field.default else 1]
    value = f"{field.default:g}" if isinstance(field.default, float) else str(field.default)
    return f"{value} {field.unit}".strip()


def _allowed(field: ParamField) -> str:
    if field.kind == CHOICE:
        return ", ".join(field.choices)
    low = "" if field.low is None else f"{'>' if field.low_is_open else '≥'} {field.low:.10g}"
    high = "" if field.high is None else f"{'<' if field.high_is_open else '≤'} {field.high:.10g}"
    bounds = ", ".join(filter(None, (low, high)))
    return f"{bounds} {field.unit}".strip() if bounds else field.unit


def main() -> None:
    """Write both pages."""
    for name, language in (("steps.md", "en"), ("steps.ja.md", "ja")):
        (DOCS / name).write_text(page(language), encoding="utf-8")


if __name__ == "__main__":
    main()
