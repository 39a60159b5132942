"""The laws of the house that an import linter cannot see, proved on the syntax tree."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
ENGINE = sorted((REPOSITORY / "engine").rglob("*.py"))
APPLICATION = sorted((REPOSITORY / "spa_widgets").rglob("*.py"))

# engine/kernels/cuda.py reads its own .cu source, part of the package's code, and nothing else
MAY_READ_ITS_SOURCE = {"engine/kernels/cuda.py"}
MAY_IMPORT_CUPY = {"engine/arrays.py", "engine/fourier/transforms.py"}

FORMULA_MODULES = ("numpy.fft", "numpy.linalg", "scipy")
FORMULA_ATTRIBUTES = {"fft", "linalg", "einsum", "matmul", "dot", "convolve", "exp", "sin", "cos", "tan", "sqrt"}


def relative(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(module: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize("path", ENGINE, ids=relative)
def test_the_engine_touches_no_file_and_no_screen(path: Path) -> None:
    module = tree(path)
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "print", "input", "exec", "eval"}, f"{node.func.id} in {relative(path)}"
    if relative(path) not in MAY_READ_ITS_SOURCE:
        for name in ("pathlib", "io", "tempfile", "shutil", "logging", "warnings", "subprocess"):
            assert not any(is_within(found, name) for found in imported(module)), f"{relative(path)} imports {name}"


@pytest.mark.parametrize("path", ENGINE + APPLICATION, ids=relative)
def test_cupy_is_imported_only_where_the_array_library_is_known(path: Path) -> None:
    uses = any(is_within(name, "cupy") or is_within(name, "cupyx") for name in imported(tree(path)))
    allowed = relative(path) in MAY_IMPORT_CUPY or relative(path).startswith("engine/kernels/")
    assert allowed or not uses


@pytest.mark.parametrize("path", ENGINE, ids=relative)
def test_the_engine_has_no_global_state(path: Path) -> None:
    for node in ast.walk(tree(path)):
        assert not isinstance(node, ast.Global), f"{relative(path)} rebinds a global"


@pytest.mark.parametrize("path", APPLICATION, ids=relative)
def test_the_application_contains_no_formula(path: Path) -> None:
    module = tree(path)
    for name in imported(module):
        assert not any(is_within(name, found) for found in FORMULA_MODULES), f"{relative(path)} imports {name}"
    for node in ast.walk(module):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in {"np", "numpy", "xp"}
        ):
            assert node.attr not in FORMULA_ATTRIBUTES, f"np.{node.attr} in {relative(path)} belongs in engine"
        assert not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult)), f"@ in {relative(path)}"


@pytest.mark.parametrize("path", [p for p in ENGINE if not p.name.startswith("_")], ids=relative)
def test_no_public_parameter_is_in_radians_or_micrometres(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            names = [argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)]
            assert not [n for n in names if n.endswith(("_rad", "_um", "_nm", "_v", "_m"))], (
                f"{relative(path)}: {names}"
            )


@pytest.mark.parametrize("path", ENGINE + APPLICATION, ids=relative)
def test_files_are_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500
