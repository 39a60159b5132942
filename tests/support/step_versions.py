"""Guard of the steps' versions: code that changes while its step's version stays would serve old results as new ones.

`tests/step_versions.json` holds, for each step, its version and a hash of its code: `params.py`, `job.py` and every
module of the engine and of the steps that these import, directly or not (comments, docstrings and blank lines do not
count). After a change of code:

- results may differ: raise ``version`` in the step's ``params.py``, then run ``python tests/support/step_versions.py``;
- results stay the same to the last bit: run ``python tests/support/step_versions.py --same-results STEP …``
  (``all`` for all steps).
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import sys
import tokenize
from functools import cache
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
RECORD = REPOSITORY / "tests" / "step_versions.json"
_FOLLOWED = ("engine", "spa_widgets.steps")


def code_hash(path: Path) -> str:
    """Hash of a module's code: its lines without comments, docstrings and blank lines."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for first, last in _docstrings(ast.parse(text)):
        lines[first - 1 : last] = [""] * (last - first + 1)
    kept = [line.rstrip() for line in lines if line.strip()]
    return hashlib.sha256("\n".join(kept).encode()).hexdigest()


def _docstrings(tree: ast.Module) -> list[tuple[int, int]]:
    """First and last line of every docstring."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                found.append((first.lineno, first.end_lineno or first.lineno))
    return found


def module_path(name: str) -> Path | None:
    """File of a module of this repository."""
    base = REPOSITORY.joinpath(*name.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def imported_modules(path: Path) -> set[str]:
    """Modules of the engine and of the steps that a file imports anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.startswith(_FOLLOWED) and name != "spa_widgets.steps" and module_path(name)}


@cache
def _parts(path: Path) -> tuple[str, tuple[str, ...]]:
    """Hash of a module and what it imports."""
    return code_hash(path), tuple(sorted(imported_modules(path)))


def code_of_step(name: str) -> dict[str, str]:
    """Hash of every module that a step is made of, by its path in the repository."""
    waiting = [f"spa_widgets.steps.{name}.params", f"spa_widgets.steps.{name}.job"]
    seen: dict[str, str] = {}
    while waiting:
        path = module_path(waiting.pop())
        if path is not None and (key := path.relative_to(REPOSITORY).as_posix()) not in seen:
            seen[key], imports = _parts(path)
            waiting += imports
    return dict(sorted(seen.items()))


def present() -> dict[str, Any]:
    """Versions and code of all steps as they are now."""
    from spa_widgets.session.registry import all_steps, load_steps

    load_steps()
    own = [step for step in all_steps() if step.job.startswith("spa_widgets.steps.")]
    return {step.name: {"version": step.version, "code": code_of_step(step.name)} for step in own}


def recorded() -> dict[str, Any]:
    """Versions and code of all steps as they were recorded."""
    if not RECORD.is_file():
        return {}
    stored = json.loads(RECORD.read_text(encoding="utf-8"))
    modules = stored["modules"]
    return {
        name: {"version": step["version"], "code": {path: modules[path] for path in step["code"]}}
        for name, step in stored["steps"].items()
    }


def write(steps: dict[str, Any]) -> None:
    """Record versions and code of all steps."""
    modules: dict[str, str] = {}
    for step in steps.values():
        modules |= step["code"]
    content = {
        "steps": {name: {"version": step["version"], "code": sorted(step["code"])} for name, step in steps.items()},
        "modules": dict(sorted(modules.items())),
    }
    RECORD.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def changed_modules(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Paths of the modules that differ, came or went."""
    return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))


def problems(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """One sentence for each step whose record does not fit its code."""
    found = []
    for name, step in now.items():
        known = before.get(name)
        if known is None:
            found.append(f"The step {name} is not recorded: run python tests/support/step_versions.py.")
            continue
        changed = changed_modules(known["code"], step["code"])
        if changed and known["version"] == step["version"]:
            found.append(
                f"The code of the step {name} changed ({', '.join(changed)}) and its version did not: raise "
                f"version in spa_widgets/steps/{name}/params.py and run tests/support/step_versions.py, or, when "
                f"results stay the same to the last bit, run it with --same-results {name}."
            )
        elif changed or known["version"] != step["version"]:
            found.append(f"The step {name} has a new version: run python tests/support/step_versions.py.")
    gone = sorted(before.keys() - now.keys())
    return [*found, *(f"The step {name} is gone: run python tests/support/step_versions.py." for name in gone)]


def main(arguments: list[str]) -> int:
    """Record the present state, unless code changed without its step's version."""
    excused = set(arguments[1:]) if arguments[:1] == ["--same-results"] else set()
    before, now = recorded(), present()
    refused = [
        sentence
        for name in now
        for sentence in problems({name: before[name]} if name in before else {}, {name: now[name]})
        if "did not:" in sentence and not excused & {name, "all"}
    ]
    for sentence in refused:
        print(sentence, file=sys.stderr)
    if not refused:
        write(now)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.path.insert(0, str(REPOSITORY))
    sys.exit(main(sys.argv[1:]))
